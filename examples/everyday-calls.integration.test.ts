// The code of docs/guide/everyday-calls.md, run as it is printed there.
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, formatBytes, localRepository } from '@holdfast/core'
import { HoldfastError, type Provider } from '@holdfast/core/spec'
import { docker } from '@holdfast/provider-docker'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { describeWithPeer } from '../scripts/peers/test-peers.ts'
import { ask } from './01-quickstart/docker-engine.ts'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

let root = ''
let engine: Engine
const printed: string[] = []
const print = (text: string) => void printed.push(text)
const shop = { provider: 'disks', id: 'shop' }
const image = (name: string) => join(root, 'disks', `${name}.img`)

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-everyday-'))
  printed.length = 0
  await mkdir(join(root, 'disks'))
  const disk = Buffer.alloc(1 << 20)
  disk.fill('a shop', 1 << 16, 5 << 16)
  await writeFile(image('shop'), disk)
})
afterEach(async () => {
  await engine.stop()
  await rm(root, { recursive: true, force: true })
})

async function start(providers: { readonly [name: string]: Provider }): Promise<void> {
  engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(root, 'backups') }) },
    providers,
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [shop] } },
    retry: { delayMs: 10 },
  })
  await engine.start()
}

async function change(text: string): Promise<void> {
  const file = await open(image('shop'), 'r+')
  await file.write(text, 9 << 16)
  await file.close()
}

/** A full and an increment, which builds on it. */
async function twoPoints(): Promise<readonly [first: string, second: string]> {
  const points: string[] = []
  for (const text of ['one', 'two']) {
    await change(text)
    for (const backup of await engine.runPlan('nightly')) points.push(backup.point)
  }
  return [points[0] ?? '', points[1] ?? '']
}

test('what a provider can protect, and whether it can work now', async () => {
  const provider = diskFiles({ folder: join(root, 'disks') })
  await start({ disks: provider })
  // #region workloads
  const signal = AbortSignal.timeout(30_000)
  for (const { name, status, message } of await provider.check({ signal })) print(`${name}: ${status}: ${message}`)
  for await (const { id, kind, usedBytes } of provider.workloads({ signal })) {
    print(`${kind} ${id}${usedBytes === undefined ? '' : `, ${formatBytes(usedBytes)}`}`)
  }
  // #endregion workloads
  expect(printed).toEqual([expect.stringMatching(/^folder: ok: .* holds 1 disk images$/), expect.stringMatching(/^volume shop, \d/)])
})

test('a backup by key: asked twice, it is made once', async () => {
  await start({ disks: diskFiles({ folder: join(root, 'disks') }) })
  const backUp = async () => {
    // #region by-key
    const day = new Date().toISOString().slice(0, 10)
    await engine.run({ key: `shop-${day}`, operation: 'backup', repository: 'main', workload: shop })
    // #endregion by-key
  }
  await backUp()
  await backUp()
  expect(await engine.points({ repository: 'main' })).toHaveLength(1)
})

test('what backups have saved, in sums and one by one', async () => {
  await start({ disks: diskFiles({ folder: join(root, 'disks') }) })
  await twoPoints()
  // #region savings
  const { total, byForm, kept, newest } = await engine.savings({ plan: 'nightly' })
  print(`${total.runs} backups: ${formatBytes(total.bytes.provisioned)} of disks, stored as ${formatBytes(total.bytes.stored)}`)
  for (const { form, runs, bytes } of byForm)
    print(`${runs} as ${form}: ${formatBytes(bytes.transferred)} read, ${formatBytes(bytes.stored)} stored`)
  for (const { repository, points, stored } of kept) print(`now in ${repository}: ${points} points, ${formatBytes(stored)}`)
  if (newest) print(`the newest, ${newest.point}: ${formatBytes(newest.bytes.stored)}`)
  // #endregion savings
  expect(printed).toEqual([
    expect.stringMatching(/^2 backups: 2 MiB of disks, stored as \d/),
    expect.stringMatching(/^1 as qcow2: \d.* read, \d.* stored$/),
    expect.stringMatching(/^1 as qcow2 incremental: \d.* read, \d.* stored$/),
    expect.stringMatching(/^now in main: 2 points, \d/),
    expect.stringMatching(/^the newest, \d{8}T\d{6}Z-[0-9a-f]{16}: \d/),
  ])
})

test('points are listed, pinned, held and let go; what is needed is not deleted, and the error says why', async () => {
  await start({ disks: diskFiles({ folder: join(root, 'disks') }) })
  const [first, second] = await twoPoints()
  // #region points
  for (const { id, createdAt, flags, summary } of await engine.points({ repository: 'main', workload: shop })) {
    print(`${id} of ${createdAt}, ${formatBytes(summary.bytes.stored)}${flags.pin === undefined ? '' : `, pinned: ${flags.pin}`}`)
  }
  // #endregion points
  expect(printed.splice(0)).toEqual([expect.stringContaining(second), expect.stringContaining(first)])

  const point = second
  // #region keep
  await engine.pin({ repository: 'main', point }, 'before the migration') // until it is unpinned
  await engine.hold({ repository: 'main', point }, '2099-12-31T00:00:00Z') // until then, UTC
  // #endregion keep
  const [kept] = await engine.points({ repository: 'main' })
  expect(kept?.flags).toMatchObject({ pin: 'before the migration', holdUntil: expect.stringContaining('2099-12-31') })

  // #region errors
  try {
    await engine.prune({ repository: 'main', points: [point] })
  } catch (error) {
    if (!HoldfastError.isInstance(error)) throw error
    print(`${error.code}: ${error.message}`) // POINT_NEEDED: Point … cannot be deleted: it is pinned: before the migration.
    print(error.remedy)
    print(error.retryable ? 'the same call may succeed later' : 'somebody must change something first')
  }
  // #endregion errors
  expect(printed).toEqual([
    expect.stringMatching(/^POINT_NEEDED: Point .* cannot be deleted: it is pinned: before the migration\.$/),
    expect.stringMatching(/./),
    'somebody must change something first',
  ])

  // #region let-go
  await engine.unpin({ repository: 'main', point })
  await engine.release({ repository: 'main', point })
  const { points, bytes } = await engine.prune({ repository: 'main', points: [point] })
  print(`${points.length} deleted, ${formatBytes(bytes)} freed`)
  // #endregion let-go
  expect(points).toEqual([second])
  expect((await engine.points({ repository: 'main' })).map(({ id }) => id)).toEqual([first])
})

test('a merge by hand: the point needs no other, and the others stay', async () => {
  await start({ disks: diskFiles({ folder: join(root, 'disks') }) })
  const [first, point] = await twoPoints()
  // #region merge
  const { number, disks } = await engine.merge({ repository: 'main', point })
  print(`written anew as number ${number}: ${disks.map(({ name, stored }) => `${name}, ${formatBytes(stored)}`).join('; ')}`)
  // #endregion merge
  expect(printed).toEqual([expect.stringMatching(/^written anew as number 2: shop, \d/)])
  await engine.idle()
  expect(await engine.points({ repository: 'main' })).toMatchObject([{ id: point, parents: [] }, { id: first }])
  await engine.prune({ repository: 'main', points: [first] })
  expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
})

test('a restore beside the original, of an older point, and in its place; quick and full verification', async () => {
  await start({ disks: diskFiles({ folder: join(root, 'disks') }) })
  const [point] = await twoPoints()
  const newest = await readFile(image('shop'))
  await change('bad')
  // #region restore
  await engine.restore(shop, { name: 'shop-copy' }) // the newest good point; NAME_TAKEN if there is a shop-copy
  await engine.restore(shop, { name: 'shop-then', point })
  // #endregion restore
  expect((await readFile(image('shop-copy'))).equals(newest)).toBe(true)
  expect((await readFile(image('shop-then'))).subarray(9 << 16, (9 << 16) + 3).toString()).toBe('one')
  // #region in-place
  await engine.restore(shop, { target: 'shop' }) // what is in shop now is gone
  // #endregion in-place
  expect((await readFile(image('shop'))).equals(newest)).toBe(true)

  // #region verify
  const quick = await engine.verify({ repository: 'main', mode: 'quick' }) // manifests, names and sizes
  const full = await engine.verify({ repository: 'main', workload: shop }) // every stored byte of one workload
  for (const { point, file, message } of [...quick.findings, ...full.findings]) print(`${point}: ${file}: ${message}`)
  // #endregion verify
  expect(printed).toEqual([])
  expect([quick.points, full.points]).toEqual([2, 2])
  expect(full.bytes).toBeGreaterThan(quick.bytes)
})

describeWithPeer('docker', 'with a Docker engine', ({ socket }) => {
  test('replace puts the content of the newest point back into the same volume', async () => {
    await start({ docker: docker({ socketPath: socket }), disks: diskFiles({ folder: join(root, 'disks') }) })
    const id = `everyday-${root.slice(-6)}`
    await ask(socket, 'POST', '/volumes/create', { Name: id, Labels: { kept: 'yes' } })
    try {
      const volume = { provider: 'docker', id }
      await engine.run({ key: 'first', operation: 'backup', repository: 'main', workload: volume })
      await expect(engine.restore(volume)).rejects.toMatchObject({ code: 'NAME_TAKEN' })
      // #region replace
      const { point, workload } = await engine.restore(volume, { options: { replace: true } })
      print(`${workload} is as it was at ${point}`)
      // #endregion replace
      expect(printed).toEqual([expect.stringContaining(`${id} is as it was at `)])
      const { Labels: labels } = await ask<{ Labels: object }>(socket, 'GET', `/volumes/${id}`)
      expect(labels).toEqual({ kept: 'yes' })
    } finally {
      await engine.stop()
      await ask(socket, 'DELETE', `/volumes/${id}`)
    }
  })
})
