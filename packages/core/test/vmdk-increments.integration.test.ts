import { execFile, execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createEngine, localRepository, systemClock } from '@holdfast/core'
import {
  countingIds,
  fakeClock,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  scriptedProvider,
  seededRandom,
  vmdkOf,
} from '@holdfast/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer, describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import type { Manifest } from '../src/model/manifest.ts'
import type { BackupOutcome } from '../src/model/run-outcome.ts'
import { bytesOf } from '../src/transfer/chunks.ts'
import { createBackupSink, createProgressMeter, createScratch } from '../src/transfer/index.ts'
import { manifestOf, never } from './transfer-fixture.ts'
import { basesOf, clusterBytes, vmdkItem } from './vmdk-points.ts'

const run = promisify(execFile)
const clock = fakeClock()
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vmdk-increments-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** One point of a disk that comes as this VMDK. */
async function backUp(root: string, point: string, disk: Buffer, vmdk: Uint8Array, points: readonly Manifest[], scratch: string) {
  const repository = localRepository({ folder: root })
  await repository.put('repository.json', bytesOf(Buffer.from('{}')), { signal: never() })
  const open = createBackupSink({
    repository,
    folder: `shop/${point}`,
    number: 1,
    compression: 'none',
    meter: createProgressMeter({ clock }),
    clock,
    stallMs: 60_000,
    scratch: createScratch({ folder: scratch, ids: countingIds(point) }),
    base: basesOf(points),
    signal: never(),
  })
  try {
    await open.sink.stream(vmdkItem(disk, vmdk))
    return manifestOf(point, await open.finish({ signal: never() }))
  } finally {
    await open[Symbol.asyncDispose]()
    await repository[Symbol.asyncDispose]()
  }
}

describeWithPeer('qemu-img', 'a kept VMDK under increments', ({ path: qemu }) => {
  /** As qemu writes it: its directory in front of the grains, and no end-of-stream marker. */
  const vmdkOfQemu = async (raw: string, disk: Buffer): Promise<Buffer> => {
    await writeFile(raw, disk)
    await run(qemu, ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, `${raw}.vmdk`])
    return execFileSync('cat', [`${raw}.vmdk`], { maxBuffer: 2 ** 30 })
  }

  it.each(['ours', 'of qemu'] as const)('is one disk for qemu-img, at every point, the VMDK being %s', async (writer) => {
    const seed = 20_261_124
    const random = seededRandom(seed)
    const root = join(folder, `repository ${writer}`)
    const scratch = join(folder, `scratch ${writer}`)
    await mkdir(root, { recursive: true })
    let disk = Buffer.alloc(600 * clusterBytes + 512)
    for (const cluster of [0, 1, 2, 5, 64, 65, 300, 511, 512, 513, 600])
      disk.set(random.bytes(Math.min(clusterBytes, disk.length - cluster * clusterBytes)), cluster * clusterBytes)
    const points: Manifest[] = []
    for (let number = 1; number <= 4; number++) {
      if (number === 3) disk = Buffer.concat([disk, Buffer.alloc(3 * clusterBytes)])
      if (number > 1) {
        disk.set(random.bytes(3000), 100 * number * clusterBytes - 1000)
        disk.fill(0, (number - 2) * clusterBytes, (number - 1) * clusterBytes)
      }
      const raw = join(folder, `${writer}-${number}.raw`)
      await writeFile(raw, disk)
      const vmdk = writer === 'ours' ? vmdkOf(disk) : await vmdkOfQemu(raw, disk)
      points.unshift(await backUp(root, `p${number}`, disk, vmdk, points, scratch))
      const name = number === 1 ? 'web-disk-0.vmdk' : 'disk-0.qcow2'
      const { stdout } = await run(qemu, [
        'compare',
        '-f',
        'raw',
        '-F',
        number === 1 ? 'vmdk' : 'qcow2',
        raw,
        join(root, `shop/p${number}/1`, name),
      ])
      expect(stdout, `seed ${seed}, point ${number}`).toContain('Images are identical.')
      if (number === 1) continue
      const check = await run(qemu, ['check', '-f', 'qcow2', join(root, `shop/p${number}/1/disk-0.qcow2`)])
      expect(check.stdout).toContain('No errors were found on the image.')
      expect(points[0]?.bytes.stored).toBeLessThan(600_000)
    }
    const info = await run(qemu, ['info', '--output=json', '--backing-chain', join(root, 'shop/p2/1/disk-0.qcow2')])
    expect((JSON.parse(info.stdout) as { format: string }[]).map(({ format }) => format)).toEqual(['qcow2', 'vmdk'])
    expect(await readdir(scratch)).toEqual([])
  })
})

describeWithPeers(['root'], 'as root', () => {
  it('a scratch folder without space ends the backup with DISK_FULL and names the folder', async () => {
    const small = join(folder, 'small')
    await mkdir(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', small])
    try {
      const root = join(folder, 'repository of a full one')
      await mkdir(root)
      const disk = Buffer.alloc(20 * clusterBytes)
      const first = await backUp(root, 'p1', disk, vmdkOf(disk), [], small)
      disk.set(seededRandom(1).bytes(disk.length))
      const backingUp = backUp(root, 'p2', disk, vmdkOf(disk), [first], small)
      await expect(backingUp).rejects.toMatchObject({
        code: 'DISK_FULL',
        message: expect.stringContaining(small),
        remedy: expect.stringContaining('scratch'),
        retryable: true,
      })
      expect((await backUp(root, 'p3', disk, vmdkOf(disk), [], small)).items.length).toBe(1)
    } finally {
      execFileSync('umount', [small])
    }
  })

  it('a scratch folder that is too small for what has changed makes the last try a full, and says why', async () => {
    const small = join(folder, 'too small')
    await mkdir(small)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'none', small])
    const platform = memoryPlatform({ random: seededRandom(11), clusters: 40 })
    const engine = await createEngine({
      name: 'node-a',
      store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
      repositories: { main: memoryRepository({ clock: systemClock }) },
      providers: { p: scriptedProvider(platform, { shape: 'esxiLike', name: 'p' }) },
      retry: { maxFailures: 1 },
      scratch: small,
    })
    try {
      const workload = { provider: 'p', id: platform.addMachine('shop') }
      await engine.start()
      const backup = async (key: string) =>
        (await engine.run({ key, operation: 'backup', repository: 'main', workload })) as unknown as BackupOutcome
      await backup('first')
      const told: string[] = []
      engine.on('warning', ({ code, message }) => told.push(`${code} ${message}`))
      const random = seededRandom(5)
      for (let writes = 0; writes < 60; writes++) platform.mutate(random)
      const { items } = await backup('next')
      const disks = items.filter(({ form, format }) => format === 'qcow2' || (format === 'vmdk' && form === 'kept'))
      expect(disks.map(({ form }) => form)).toEqual(['kept', 'kept'])
      expect(told).toEqual([expect.stringMatching(`^BASE_LOST .*${small}`)])
    } finally {
      await engine.stop()
      execFileSync('umount', [small])
    }
  })
})
