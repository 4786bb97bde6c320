// The code of docs/guide/when-something-goes-wrong.md, run as it is printed there.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine, type Engine, formatBytes, localRepository } from '@holdfast/core'
import { codeOf, HoldfastError } from '@holdfast/core/spec'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEngine as openQuickstart, type QuickstartSetup, subjectOf } from './01-quickstart/setup.ts'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
const opened: Engine[] = []
const printed: string[] = []
const print = (text: string) => void printed.push(text)
const shop = { provider: 'disks', id: 'shop' }
const catalogFile = () => join(root, 'catalog.db')
const backups = () => join(root, 'mounted', 'backups')

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-guide-'))
  printed.length = 0
  await mkdir(join(root, 'disks'))
  await mkdir(join(root, 'mounted'))
  const disk = Buffer.alloc(1 << 20)
  disk.fill('a shop', 1 << 16, 5 << 16)
  await writeFile(join(root, 'disks/shop.img'), disk)
})
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.stop()
  await rm(root, { recursive: true, force: true })
})

async function openEngine(): Promise<Engine> {
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: catalogFile() }),
    repositories: { main: localRepository({ folder: backups() }) },
    providers: { disks: diskFiles({ folder: join(root, 'disks') }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [shop], retention: { last: 30 } } },
    retry: { delayMs: 10 },
  })
  opened.push(engine)
  return engine
}

/** Two points: a full and an increment. */
async function twoPoints(): Promise<readonly string[]> {
  const engine = await openEngine()
  await engine.start()
  const points: string[] = []
  for (const text of ['one', 'two']) {
    const file = await open(join(root, 'disks/shop.img'), 'r+')
    await file.write(text, 9 << 16)
    await file.close()
    for (const { point } of await engine.runPlan('nightly')) points.push(point)
  }
  await engine.stop()
  return points
}

test('the catalog is lost: a rescan finds every point; taking over makes the repository ours', async () => {
  const points = await twoPoints()
  for (const file of await readdir(root)) if (file.startsWith('catalog.db')) await rm(join(root, file))
  const engine = await openEngine()
  // #region lost-catalog
  engine.on('warning', ({ code, message }) => print(`${code}: ${message}`))
  await engine.start()
  // FOREIGN_OWNER: Repository "main" is owned by another catalog, 5d0c…: it is only read.

  // Enough to list and restore. It writes nothing into the repository:
  const { added } = await engine.rescan({ repository: 'main' })
  print(`${added} points found`)
  await engine.restore(shop, { name: 'shop-restored' })
  // #endregion lost-catalog
  expect(printed).toEqual([
    expect.stringMatching(/^FOREIGN_OWNER: .* is owned by another catalog, .*: it is only read\.$/),
    '2 points found',
  ])
  expect((await readFile(join(root, 'disks/shop-restored.img'))).equals(await readFile(join(root, 'disks/shop.img')))).toBe(true)

  const seen = await engine.runPlan('nightly').then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(HoldfastError.isInstance(seen) && seen.code).toBe('FOREIGN_OWNER')
  const owner = /takeOver: '([^']+)'/.exec(HoldfastError.isInstance(seen) ? (seen.remedy ?? '') : '')?.[1] ?? ''
  // #region take-over
  // The old catalog is gone for good: from now on this one backs up and deletes here.
  await engine.rescan({ repository: 'main', takeOver: owner })
  const [backup] = await engine.runPlan('nightly')
  // #endregion take-over
  expect(backup?.items[0]).toMatchObject({ form: 'incremental' })
  expect((await engine.points({ repository: 'main' })).map(({ id }) => id)).toEqual([backup?.point, ...points.toReversed()])
})

test('a point is damaged: verify names it, it is quarantined, and the newest good one is restored', async () => {
  const [first, second] = await twoPoints()
  const files = await readdir(backups(), { recursive: true })
  const stored = join(backups(), files.find((file) => file.includes(`${second}/`) && file.endsWith('.qcow2')) ?? '')
  const bytes = await readFile(stored)
  const at = bytes.indexOf('two')
  expect(at).toBeGreaterThan(0)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  await writeFile(stored, bytes)
  const engine = await openEngine()
  await engine.start()
  // #region damaged-point
  const { findings, bytes: read } = await engine.verify({ repository: 'main' })
  print(`${formatBytes(read)} read`)
  for (const { point, file, message } of findings) print(`${point}: ${file}: ${message}`)

  // What was found damaged is quarantined: `latest` is now the newest point that is whole.
  const { point } = await engine.restore(shop, { point: 'latest', name: 'shop-restored' })
  // #endregion damaged-point
  expect(findings.map((finding) => finding.point)).toEqual([second])
  expect(printed[1]).toContain('.qcow2')
  expect(point).toBe(first)
  const [next] = await engine.runPlan('nightly')
  expect(next?.items[0]?.form).toMatch(/full|incremental/)
  expect((await engine.verify({ repository: 'main', points: [next?.point ?? ''] })).findings).toEqual([])
})

test('the repository is not mounted: nothing is written into the empty folder, and nothing is forgotten', async () => {
  await twoPoints()
  await rename(join(root, 'mounted'), join(root, 'elsewhere'))
  await mkdir(backups(), { recursive: true })
  const engine = await openEngine()
  await engine.start()
  // #region not-mounted
  try {
    await engine.runPlan('nightly')
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_MISSING') throw error
    print('mount /srv/backup, then run the plan again')
  }
  // #endregion not-mounted
  expect(printed).toHaveLength(1)
  expect(await readdir(backups())).toEqual([])
  await rm(join(root, 'mounted'), { recursive: true })
  await rename(join(root, 'elsewhere'), join(root, 'mounted'))
  const [backup] = await engine.runPlan('nightly')
  expect(backup?.items[0]).toMatchObject({ form: 'incremental' })
  expect(await engine.points({ repository: 'main' })).toHaveLength(3)
})

test('after a crash: start() settles what the dead process had begun, idle() waits for the rest', async () => {
  const setup: QuickstartSetup = { unique: 'guide', folder: join(root, 'crash') }
  const subject = subjectOf(setup)
  await mkdir(setup.folder)
  await subject.create()
  const script = fileURLToPath(new URL('01-quickstart/interrupted-backup.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, JSON.stringify(setup)], { stdio: 'ignore' })
  expect((await once(child, 'close'))[1]).toBe('SIGKILL')
  const unfinished = async () => (await readdir(join(setup.folder, 'backups'), { recursive: true })).filter((file) => file.includes('~'))
  expect(await unfinished()).not.toEqual([])
  const engine = await openQuickstart(setup, subject)
  opened.push(engine)
  // #region after-a-crash
  await engine.start() // what the dead process had begun is settled: committed, or undone
  await engine.idle() // what is still wanted has been done again
  // #endregion after-a-crash
  expect(await unfinished()).toEqual([])
  expect(await engine.points({ repository: 'main' })).toHaveLength(1)
})
