import { afterEach, beforeEach, expect, test } from 'vitest'
import { planWorld } from '../../test/plan-world.ts'
import type { Engine } from './engine.ts'

let world: ReturnType<typeof planWorld>
let engine: Engine
beforeEach(async () => {
  world = planWorld()
  engine = await world.make({})
})
afterEach(() => world.close())

/** As JavaScript calls it: whatever TypeScript would have refused. */
type Loose = { readonly [call: string]: (...given: unknown[]) => PromiseLike<unknown> }
const firstRun = async (loose: Loose, filter: unknown): Promise<unknown> => await (loose as unknown as Engine).runs(filter as object).next()

const wrong: readonly (readonly [string, (engine: Loose) => PromiseLike<unknown> | undefined, RegExp, RegExp?])[] = [
  ['run without a key', (e) => e.run?.({ operation: 'verify', repository: 'main' }), /^engine\.run: key is missing/, /a key of its own/],
  ['run with an empty key', (e) => e.run?.({ key: '', operation: 'verify', repository: 'main' }), /^engine\.run: key is ""/],
  ['run without anything', (e) => e.run?.(), /^engine\.run: the value is undefined; expected object/],
  ['verify without anything', (e) => e.verify?.(), /^engine\.verify: the value is undefined; expected object/],
  ['prune of null', (e) => e.prune?.(null), /^engine\.prune: the value is null; expected object/],
  ['rescan without a repository', (e) => e.rescan?.({}), /^rescan run: repository is missing/],
  ['restore without a workload', (e) => e.restore?.(), /^restore run: workload is missing/],
  ['restore of a word', (e) => e.restore?.('p/shop-db'), /^restore run: workload is "p\/shop-db"; expected object/],
  [
    'restore with a point in place of options',
    (e) => e.restore?.({ provider: 'p', id: 'x' }, 'latest'),
    /^engine\.restore: the value is "latest"/,
  ],
  ['restore with a key that is a number', (e) => e.restore?.({ provider: 'p', id: 'x' }, { key: 5 }), /^engine\.restore: key is 5/],
  [
    'points with a misspelt repository',
    (e) => e.points?.({ repositry: 'main' }),
    /repositry is not known here/,
    /Did you mean "repository"/,
  ],
  ['points without anything', (e) => e.points?.(), /^engine\.points: the value is missing; expected object/],
  ['points of a workload by its key', (e) => e.points?.({ repository: 'main', workload: 'p/x' }), /workload is "p\/x"; expected object/],
  ['previewRuns without until', (e) => e.previewRuns?.({}), /^engine\.previewRuns: until is missing/],
  ['previewRuns until some day', (e) => e.previewRuns?.({ until: 'tomorrow' }), /^engine\.previewRuns: until is "tomorrow"/, /2027-01-31/],
  ['previewPrune without anything', (e) => e.previewPrune?.(), /^engine\.previewPrune: the value is missing/],
  ['pin without a point', (e) => e.pin?.({ repository: 'main' }, 'audit'), /^engine\.pin: point is missing/],
  ['pin without a reason', (e) => e.pin?.({ repository: 'main', point: 'x' }), /^engine\.pin: reason is missing/],
  ['pin for an empty reason', (e) => e.pin?.({ repository: 'main', point: 'x' }, ''), /^engine\.pin: reason is "": say why it is pinned/],
  [
    'pin for a blank reason',
    (e) => e.pin?.({ repository: 'main', point: 'x' }, ' \t'),
    /^engine\.pin: reason is " .*": say why it is pinned/,
  ],
  [
    'hold until a time in the past',
    (e) => e.hold?.({ repository: 'main', point: 'x' }, new Date(world.clock.now()).toISOString()),
    /^engine\.hold: until is "2\d{3}-.*Z", a time in the past: it protects nothing/,
    /engine\.release/,
  ],
  ['hold without an end', (e) => e.hold?.({ repository: 'main', point: 'x' }), /^engine\.hold: until is missing/],
  ['getRun without a name', (e) => e.getRun?.(), /^engine\.getRun: idOrKey is missing/],
  ['cancel without a name', (e) => e.cancel?.(), /^engine\.cancel: idOrKey is missing/],
  ['runs in a state that is none', (e) => firstRun(e, { states: ['runing'] }), /^engine\.runs: states\[0\] is "runing"/, /"running"/],
  ['runPlan without a name', (e) => e.runPlan?.(), /^engine\.runPlan: id is missing/],
  ['putPlan without a plan', (e) => e.putPlan?.('nightly'), /^plan "nightly": /],
  ['putPlan without a name', (e) => e.putPlan?.(undefined, {}), /^engine\.putPlan: id is missing/],
  ['removePlan without a name', (e) => e.removePlan?.(), /^engine\.removePlan: id is missing/],
  ['nodeHistory without a time', (e) => e.nodeHistory?.('node-a'), /^engine\.nodeHistory: since is missing/],
]

for (const [what, call, message, remedy = /./] of wrong) {
  test(`${what} is refused in words, by a rejection`, async () => {
    const given = call(engine as unknown as Loose)
    await expect(given).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(message),
      remedy: expect.stringMatching(remedy),
    })
  })
}
