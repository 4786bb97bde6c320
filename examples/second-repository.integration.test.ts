// The code of docs/guide/second-repository.md, run as it is printed there.
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, localRepository, type PlanInput } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
let engine: Engine
const printed: string[] = []
const print = (text: string) => void printed.push(text)
const shop = { provider: 'disks', id: 'shop' }
const image = (name: string) => join(root, 'disks', `${name}.img`)
const by = (repository: string) => engine.points({ repository })

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-second-'))
  printed.length = 0
  await mkdir(join(root, 'disks'))
  await writeFile(image('shop'), Buffer.alloc(1 << 20, 'a shop'))
})
afterEach(async () => {
  await engine.stop()
  await rm(root, { recursive: true, force: true })
})

// #region plan
const nightly: PlanInput = {
  kind: 'backup',
  repository: 'main',
  workloads: [{ provider: 'disks', id: 'shop' }],
  schedule: { type: 'simple', every: 'day', at: '02:30', zone: 'Europe/Berlin' },
  retention: { last: 3, daily: 7, zone: 'Europe/Berlin' },
  copy: [{ repository: 'offsite', retention: { last: 2, daily: 30, monthly: 12, zone: 'Europe/Berlin', chains: 'merge' } }],
}
// #endregion plan

async function start(plan: PlanInput): Promise<void> {
  const [here, elsewhere] = [join(root, 'backups'), join(root, 'elsewhere')]
  const providers = { disks: diskFiles({ folder: join(root, 'disks') }) }
  engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    // #region repositories
    repositories: { main: localRepository({ folder: here }), offsite: localRepository({ folder: elsewhere }) },
    // #endregion repositories
    providers,
    plans: { nightly: plan },
    retry: { delayMs: 10 },
  })
  await engine.start()
}

/** Changes the disk, backs it up, and waits for all that follows. */
async function night(text: string): Promise<string> {
  const file = await open(image('shop'), 'r+')
  await file.write(text, 9 << 16)
  await file.close()
  const [backup] = await engine.runPlan('nightly')
  await engine.idle()
  return backup?.point ?? ''
}

test('a plan that copies: what its own retention keeps is there, and restores from there', async () => {
  await start(nightly)
  const made: string[] = []
  for (const text of ['one', 'two', 'three', 'four']) made.push(await night(text))
  expect((await by('main')).map(({ id }) => id)).toEqual(made.toReversed())
  // The last two, and the oldest while daily and monthly have places left. The second was taken over by the third.
  expect((await by('offsite')).map(({ id }) => id)).toEqual([made[3], made[2], made[0]])

  await expect(engine.restore(shop, { name: 'shop-copy' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  // #region restore
  await engine.restore(shop, { repository: 'offsite', name: 'shop-copy' })
  // #endregion restore
  expect((await readFile(image('shop-copy'))).equals(await readFile(image('shop')))).toBe(true)

  // #region verify
  const { findings } = await engine.verify({ repository: 'offsite', workload: shop })
  for (const { point, file, message } of findings) print(`${point}: ${file}: ${message}`)
  // #endregion verify
  expect(printed).toEqual([])
})

test('by hand: everything that is newer than what is there, or the points that are named', async () => {
  const { retention: _, copy: __, ...plain } = nightly as Extract<PlanInput, { kind: 'backup' }>
  await start(plain)
  const [first = '', second = '', third = ''] = [await night('one'), await night('two'), await night('three')]
  const point = second
  // #region named
  await engine.copy({ from: 'main', repository: 'offsite', workload: shop, points: [point] })
  // #endregion named
  await engine.idle()
  const [alone] = await by('offsite')
  expect(alone).toMatchObject({ id: second, parents: [] })
  // #region by-hand
  const copied = await engine.copy({ from: 'main', repository: 'offsite', workload: shop })
  print(copied.point === undefined ? 'nothing new' : `${copied.point} is there, the others follow`)
  await engine.idle() // until all of them are there
  // #endregion by-hand
  expect(printed).toEqual([`${third} is there, the others follow`])
  // The first is older than what was there.
  expect((await by('offsite')).map(({ id }) => id)).toEqual([third, second])
  expect((await by('main')).map(({ id }) => id)).toEqual([third, second, first])
})

test('damaged points are mended from the second repository, also where it holds a full of what is an increment here', async () => {
  await start({
    ...nightly,
    retention: { last: 4 },
    copy: [{ repository: 'offsite', retention: { last: 2, chains: 'merge' } }],
  } as PlanInput)
  const made: string[] = []
  for (const text of ['one', 'two', 'three', 'four', 'five']) made.push(await night(text))
  const [, , , gone = '', newest = ''] = made
  const formsOf = async (repository: string) => (await by(repository)).find(({ id }) => id === gone)?.summary.disks.map(({ form }) => form)
  expect([await formsOf('main'), await formsOf('offsite')]).toEqual([['incremental'], ['full']])
  // What builds on the damaged point is mended with it, although it is not there itself.
  await engine.prune({ repository: 'offsite', points: [newest] })
  const folder = (await readdir(join(root, 'backups'), { recursive: true })).find((path) => path.endsWith(`/${gone}`)) ?? ''
  await rm(join(root, 'backups', folder), { recursive: true })

  const told: string[] = []
  engine.on('warning', ({ code, message }) => void (code === 'STILL_QUARANTINED' && told.push(message)))
  // #region mend
  const { findings } = await engine.verify({ repository: 'main', workload: shop }) // quarantines what is damaged
  const damaged = [...new Set(findings.map(({ point }) => point))]
  await engine.copy({ from: 'offsite', repository: 'main', workload: shop, points: damaged })
  await engine.idle() // until all of them are mended

  const again = await engine.verify({ repository: 'main', workload: shop }) // warns of points that are whole, and quarantined still
  for (const { point, file, message } of again.findings) print(`${point}: ${file}: ${message}`)
  for (const { id, flags } of await engine.points({ repository: 'main', workload: shop })) {
    const isWhole = again.findings.every(({ point, affects = [] }) => point !== id && !affects.includes(id))
    if (flags.quarantine !== undefined && isWhole) await engine.liftQuarantine({ repository: 'main', point: id })
  }
  // #endregion mend
  expect(damaged).toEqual([gone, newest])
  expect(printed).toEqual([])
  expect(told).toEqual([expect.stringContaining(`: ${newest}. If they were mended: engine.liftQuarantine(`)])
  expect((await by('main')).filter(({ flags }) => flags.quarantine !== undefined)).toEqual([])
  const { point } = await engine.restore(shop, { repository: 'main', name: 'shop-copy' })
  expect(point).toBe(newest)
  expect((await readFile(image('shop-copy'))).equals(await readFile(image('shop')))).toBe(true)
  await engine.restore(shop, { repository: 'main', point: gone, name: 'shop-then' })
  expect((await readFile(image('shop-then'))).includes('four')).toBe(true)
})

test('while the other folder is away backups go on; the next one after it has come back brings what is missing', async () => {
  await start(nightly)
  const before = await night('one')
  await rename(join(root, 'elsewhere'), join(root, 'unplugged'))
  const away = await night('two')
  // A run that is to be tried again is not due yet.
  await expect.poll(async () => (await engine.runs({ states: ['failed'] }).next()).done, { timeout: 20_000 }).toBe(false)
  // #region failed
  for await (const { key, error } of engine.runs({ states: ['failed'] })) print(`${key}: ${error?.code}`)
  // #endregion failed
  expect(printed).toEqual([expect.stringMatching(/^nightly\/.*\/copy\/offsite: REPOSITORY_MISSING$/)])
  expect((await by('main'))[0]?.id).toBe(away)
  await rename(join(root, 'unplugged'), join(root, 'elsewhere'))
  const back = await night('three')
  expect((await by('offsite')).map(({ id }) => id)).toEqual([back, away, before])
})
