import { countingIds, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { describe, expect, onTestFinished, test } from 'vitest'
import { day, hour, minute, options, pass, planWorld } from '../../../test/plan-world.ts'
import type { PruneSnapshotsOutcome, SnapshotOutcome } from '../../model/run-outcome.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Provider, SnapshotAbility } from '../../spec/provider.ts'
import type { Run } from '../../spec/store.ts'
import type { Engine } from '../engine.ts'

type World = ReturnType<typeof planWorld>

function world(): World & { readonly id: string; readonly vm: { readonly provider: string; readonly id: string } } {
  const made = planWorld('ovirtLike')
  onTestFinished(made.close)
  const id = made.platform.addMachine('web', 1)
  return { ...made, id, vm: { provider: 'p', id } }
}

const plan = (id: string, more: object = {}) =>
  ({ kind: 'snapshot', workloads: [{ provider: 'p', id }], retention: { last: 2 }, ...more }) as const

/** The same provider with other snapshots. */
function changed(provider: Provider, change: (sound: SnapshotAbility) => Partial<SnapshotAbility>): Provider {
  const sound = provider.snapshots as SnapshotAbility
  return { ...provider, snapshots: { ...sound, ...change(sound) } }
}

/** With a timer of one's own, which a fake clock passes faster. */
async function passDue(clock: World['clock'], engine: Engine, milliseconds: number, step: number): Promise<void> {
  for (let done = 0; done < milliseconds; done += step) {
    await clock.advance(step)
    await clock.runUntil(engine.runDue())
  }
}

const namesOn = async ({ provider, id }: { readonly provider: Provider; readonly id: string }) =>
  ((await provider.snapshots?.list(id, options)) ?? []).map(({ name }) => name)

describe('a snapshot plan', () => {
  test('hourly at minute 15: keeps its newest, and touches no snapshot of others', async () => {
    const { clock, platform, make, runs, provider, id, vm } = world()
    platform.addSnapshot(id, 'of somebody else')
    const schedule = { type: 'simple', every: 'hour', minute: 15 } as const
    const engine = await make({ hourly: plan(id, { schedule }), other: plan(id) })
    await clock.runUntil(engine.runDue())
    await clock.runUntil(Promise.resolve(engine.snapshot(vm, { name: 'by me' })))
    await clock.runUntil(Promise.resolve(engine.runPlan('other')))
    await passDue(clock, engine, 4 * hour, 15 * minute)
    expect(await namesOn({ provider, id })).toEqual([
      'of somebody else',
      'by me',
      'other 2026-11-20T00:00:00Z',
      'hourly 2026-11-20T02:15:00Z',
      'hourly 2026-11-20T03:15:00Z',
    ])
    const [last] = (await runs('prune-snapshots')).slice(-1)
    const outcome = last?.result as unknown as PruneSnapshotsOutcome
    expect(outcome).toMatchObject({ provider: 'p', workload: id, plan: 'hourly', kept: 2, warnings: [] })
    expect(outcome.removed).toMatchObject([{ name: 'hourly 2026-11-20T01:15:00Z', reason: 'no rule keeps it' }])
    expect((await runs()).map(({ state }) => state)).not.toContain('failed')
  })

  test.each([
    [{ every: 'day', at: '02:30' }, 3 * day, ['2026-11-20T02:30', '2026-11-21T02:30', '2026-11-22T02:30']],
    [{ every: 'week', on: 'sunday', at: '05:00' }, 10 * day, ['2026-11-22T05:00', '2026-11-29T05:00']],
    [{ every: 'month', on: 1, at: '05:00' }, 20 * day, ['2026-12-01T05:00']],
  ])('runs %j', async (when, time, due) => {
    const { clock, make, provider, id } = world()
    const schedule = { type: 'simple', ...when } as never
    const engine = await make({ s: plan(id, { schedule, retention: { last: 9 } }) })
    await clock.runUntil(engine.runDue())
    await passDue(clock, engine, time, (5 * hour) / 2)
    expect(await namesOn({ provider, id })).toEqual(due.map((at) => `s ${at}:00Z`))
  })

  test('keeps one of each day besides the newest ones', async () => {
    const { clock, make, provider, id } = world()
    const schedule = { type: 'every', interval: '6h' } as const
    const engine = await make({ s: plan(id, { schedule, retention: { last: 2, daily: 3 } }) })
    await clock.runUntil(engine.runDue())
    await passDue(clock, engine, 5 * day, 6 * hour)
    const kept = await namesOn({ provider, id })
    expect(kept.map((name) => name.slice(2, 15)).slice(-2)).toEqual(['2026-11-24T18', '2026-11-25T00'])
    expect(new Set(kept.map((name) => name.slice(2, 12))).size).toBe(3)
  })

  test('a snapshot that cannot be removed is a warning, and tried again after the next one', async () => {
    const { clock, make, runs, provider, id } = world()
    let stuck = true
    const p = changed(provider, (sound) => ({
      async remove(...given) {
        if (stuck) throw new HoldfastError('PROVIDER_FAILED', 'the datastore is busy')
        await sound.remove(...given)
      },
    }))
    const schedule = { type: 'simple', every: 'hour' } as const
    const engine = await make({ hourly: plan(id, { schedule }) }, { providers: { p } })
    await clock.runUntil(engine.runDue())
    await passDue(clock, engine, 4 * hour, hour)
    expect(await namesOn({ provider, id })).toHaveLength(4)
    const last = (await runs('prune-snapshots')).at(-1) as Run
    const { warnings, kept } = last.result as unknown as PruneSnapshotsOutcome
    expect({ state: last.state, kept }).toEqual({ state: 'succeeded', kept: 4 })
    expect(warnings.map(({ code }) => code)).toEqual(['SNAPSHOT_NOT_REMOVED', 'SNAPSHOT_NOT_REMOVED'])
    expect((await runs('snapshot')).map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded', 'succeeded'])
    stuck = false
    await passDue(clock, engine, hour, hour)
    expect(await namesOn({ provider, id })).toHaveLength(2)
  })

  test('whose policy is gone, is of another kind or was taken away keeps everything', async () => {
    const { clock, make, provider, id } = world()
    const engine = await make({})
    await clock.runUntil(engine.start())
    await engine.putPlan('s', plan(id, { retention: { last: 9 } }))
    for (let count = 0; count < 3; count++) await clock.runUntil(Promise.resolve(engine.runPlan('s')))
    await clock.runUntil(engine.idle())
    await engine.removePlan('s')
    const prune = (key: string) =>
      clock.runUntil(Promise.resolve(engine.run({ key, operation: 'prune-snapshots', plan: 's', workload: { provider: 'p', id } })))
    expect(await prune('gone')).toMatchObject({ removed: [], kept: 3 })
    await engine.putPlan('s', { kind: 'maintenance', task: 'clean-up' })
    expect(await prune('other')).toMatchObject({ removed: [], kept: 3 })
    expect(await namesOn({ provider, id })).toHaveLength(3)
  })

  test('for a provider without snapshots is refused when it is put, and so is a snapshot by hand', async () => {
    const { make, platform, id } = world()
    const engine = await make({}, { providers: { p: scriptedProvider(platform, { shape: 'rawDisk', name: 'p' }) } })
    const refused = { code: 'UNSUPPORTED', message: 'Provider "p" (rawDisk) has no snapshots.' }
    await expect(engine.putPlan('s', plan(id))).rejects.toMatchObject(refused)
    await expect(engine.snapshot({ provider: 'p', id })).rejects.toMatchObject(refused)
    await expect(engine.snapshots({ provider: 'p', id })).rejects.toMatchObject(refused)
  })

  test('that no node can do is told of by the health check, as any other', async () => {
    const { clock, make, provider, id } = world()
    const schedule = { type: 'simple', every: 'day', at: '02:30' } as const
    const first = await make({}, { name: 'node-b', providers: { p: provider, q: provider } })
    await first.putPlan('s', { ...plan(id, { schedule }), workloads: [{ provider: 'q', glob: '*' }] })
    await clock.runUntil(first.stop({ graceMs: 1 }))
    const other = await make({})
    await clock.runUntil(other.start())
    await pass(clock, 4 * hour)
    const [node] = (await other.status({ details: true })).nodes
    expect(node?.checks?.find(({ name }) => name === 'waiting')).toMatchObject({
      state: 'Warning',
      message: expect.stringContaining('Plan "s" has been due since 2026-11-20T02:30:00.000Z'),
    })
  })
})

describe('a snapshot run', () => {
  test('tells what came of it: memory and quiescing as the platform says', async () => {
    const { clock, make, vm } = world()
    const engine = await make({})
    const made = await clock.runUntil(Promise.resolve(engine.snapshot(vm, { quiesce: true })))
    expect(made).toMatchObject({ name: 'by hand 2026-11-20T00:00:00Z', memory: false, quiesced: true, warnings: [] })
    const both: SnapshotOutcome = await clock.runUntil(Promise.resolve(engine.snapshot(vm, { quiesce: true, memory: true })))
    expect(both).toMatchObject({ memory: true, quiesced: false })
    expect(both.warnings.map(({ code }) => code)).toEqual(['SNAPSHOT_NOT_QUIESCED'])
  })

  test('whose answer was lost undoes what it has made, and makes one', async () => {
    const { clock, make, runs, provider, id, vm } = world()
    let lost = 1
    const p = changed(provider, (sound) => ({
      async create(...given) {
        const made = await sound.create(...given)
        if (lost-- > 0) throw new HoldfastError('PROVIDER_FAILED', 'no answer', { retryable: true })
        return made
      },
    }))
    const engine = await make({}, { providers: { p }, retry: { delayMs: 1000 } })
    await clock.runUntil(engine.start())
    const { snapshot } = await clock.runUntil(Promise.resolve(engine.snapshot(vm)))
    const all = (await provider.snapshots?.list(id, options)) ?? []
    expect(all.map((each) => [each.id, each.mark?.attempt])).toEqual([[snapshot, 2]])
    expect((await runs('snapshot'))[0]?.intents.filter(({ until }) => until === undefined)).toEqual([])
  })

  test('does not take for its own what a lost attempt made too late, and that is undone again', async () => {
    const { clock, make, platform, provider, id, vm } = world()
    let late: (() => Promise<unknown>) | undefined
    const p = changed(provider, (sound) => ({
      async create(workload, request, run) {
        if (late) return await sound.create(workload, request, run)
        const intent = await run.intend('remove-kept-snapshot', { machine: workload })
        late = () => platform.machines.keepSnapshot(workload, request, run.mark, options)
        intent.keep()
        throw new HoldfastError('PROVIDER_FAILED', 'no answer', { retryable: true })
      },
      async list(...given) {
        await late?.()
        return await sound.list(...given)
      },
    }))
    const engine = await make({ s: plan(id) }, { providers: { p }, retry: { delayMs: 1000 } })
    await clock.runUntil(engine.start())
    const { snapshot } = await clock.runUntil(Promise.resolve(engine.snapshot(vm)))
    const attempts = async () => ((await provider.snapshots?.list(id, options)) ?? []).map((each) => [each.id, each.mark?.attempt])
    expect(await attempts()).toContainEqual([snapshot, 2])
    expect(await attempts()).toHaveLength(2)
    await clock.runUntil(engine.stop({ graceMs: 1 }))
    const next = await make({ s: plan(id) })
    await clock.runUntil(next.start())
    expect(await attempts()).toEqual([[snapshot, 2]])
  })

  test('finds what it has made when the database was put back from a copy', async () => {
    const { clock, make, provider, id, vm } = world()
    const first = await make({})
    const made = await clock.runUntil(Promise.resolve(first.snapshot(vm, { key: 'k' })))
    await clock.runUntil(first.stop({ graceMs: 1 }))
    const store = memoryStore({ clock, ids: countingIds('old') })
    const second = await make({}, { store })
    expect(await clock.runUntil(Promise.resolve(second.snapshot(vm, { key: 'k' })))).toEqual(made)
    expect(await namesOn({ provider, id })).toHaveLength(1)
  })

  test('that is cancelled leaves nothing', async () => {
    const { clock, make, provider, id, vm } = world()
    const p = changed(provider, (sound) => ({
      async create(workload, request, run) {
        const made = await sound.create(workload, request, run)
        await clock.sleep(hour, run)
        return made
      },
    }))
    const engine = await make({}, { providers: { p } })
    await clock.runUntil(engine.start())
    const handle = engine.snapshot(vm)
    await handle.accepted()
    await pass(clock, minute, minute)
    expect(await namesOn({ provider, id })).toHaveLength(1)
    await expect(engine.removeSnapshot(vm, 'snapshot-2')).rejects.toMatchObject({ code: 'IN_USE' })
    await handle.cancel()
    await expect(clock.runUntil(Promise.resolve(handle))).rejects.toMatchObject({ code: 'RUN_CANCELLED' })
    expect(await namesOn({ provider, id })).toEqual([])
  })

  test('that may still be undone is no reason to remove another one', async () => {
    const { clock, make, store, provider, id, vm } = world()
    let hangs = false
    const p = changed(provider, (sound) => ({
      async create(workload, request, run) {
        const made = await sound.create(workload, request, run)
        if (hangs) await clock.sleep(day, run)
        return made
      },
    }))
    // No data is safe because two runs are kept apart.
    const create: typeof store.runs.create = (requests, given) =>
      store.runs.create(
        requests.map((request) => ({ ...request, resources: [] })),
        given,
      )
    const freed = { ...store, runs: { ...store.runs, create } }
    const engine = await make({ s: plan(id, { retention: { last: 1 } }) }, { providers: { p }, store: freed })
    await clock.runUntil(engine.start())
    await clock.runUntil(Promise.resolve(engine.runPlan('s')))
    await clock.runUntil(engine.idle())
    hangs = true
    const second = engine.runPlan('s')
    await second.accepted()
    await pass(clock, minute, minute)
    expect(await namesOn({ provider, id })).toHaveLength(2)
    const prune = engine.run({ key: 'k', operation: 'prune-snapshots', plan: 's', workload: vm })
    expect(await clock.runUntil(Promise.resolve(prune))).toMatchObject({ removed: [], kept: 1 })
    await second.cancel()
    await clock.runUntil(engine.idle())
    expect(await namesOn({ provider, id })).toHaveLength(1)
  })
})

describe('the snapshots of a workload', () => {
  test('are shown newest first, with whose they are; going back brings back what was there', async () => {
    const { clock, make, platform, id, vm } = world()
    const engine = await make({ s: plan(id) })
    await clock.runUntil(engine.start())
    platform.addSnapshot(id, 'foreign')
    await clock.runUntil(Promise.resolve(engine.runPlan('s')))
    const before = platform.digest(id)
    const { snapshot } = await clock.runUntil(Promise.resolve(engine.snapshot(vm, { name: 'mine' })))
    const random = seededRandom(5)
    while (platform.digest(id) === before) platform.mutate(random)
    const shown = await engine.snapshots(vm)
    expect(shown.map(({ name, ours, plan: maker }) => [name, ours, maker])).toEqual([
      ['mine', true, undefined],
      ['s 2026-11-20T00:00:00Z', true, 's'],
      ['foreign', false, undefined],
    ])
    await engine.revertToSnapshot(vm, snapshot)
    expect(platform.digest(id)).toBe(before)
    await expect(engine.revertToSnapshot(vm, 'nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('only ours are removed, and one that is gone is no mistake', async () => {
    const { clock, make, platform, provider, id, vm } = world()
    const engine = await make({})
    const foreign = platform.addSnapshot(id, 'foreign')
    const { snapshot } = await clock.runUntil(Promise.resolve(engine.snapshot(vm)))
    await clock.runUntil(engine.idle())
    await engine.removeSnapshot(vm, snapshot)
    await engine.removeSnapshot(vm, snapshot)
    const [named] = await engine.snapshots(vm)
    await expect(engine.removeSnapshot(vm, named?.name ?? '')).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      remedy: expect.stringContaining(named?.id ?? 'none'),
    })
    await expect(engine.removeSnapshot(vm, foreign)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('not made by this system'),
    })
    await expect(engine.removeSnapshot(vm, undefined as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(engine.snapshots({ provider: 'p' } as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(engine.snapshots({ provider: 'p', id: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await namesOn({ provider, id })).toEqual(['foreign'])
  })
})
