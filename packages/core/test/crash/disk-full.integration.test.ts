import { execFile } from 'node:child_process'
import { mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sqlite } from '@holdfast/store-sqlite'
import { type MemoryPlatform, memoryPlatform, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import { createEngine, type Engine, localRepository } from '../../src/index.ts'
import { checkFiles } from './invariants.ts'

const run = promisify(execFile)
const workload = { provider: 'p', id: 'data' }
const repository = 'main'

describeWithPeer('root', 'a repository on a real disk of 6 MiB that is full', () => {
  let folder: string
  let disk: string
  let platform: MemoryPlatform
  const points: { id: string; digest: string | undefined }[] = []
  const engines: Engine[] = []

  async function openEngine(): Promise<Engine> {
    const engine = await createEngine({
      name: 'node',
      store: sqlite({ file: join(folder, 'catalog.db') }),
      repositories: { main: localRepository({ folder: join(disk, 'repository') }) },
      providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
      retry: { maxFailures: 2, delayMs: 20 },
    })
    engines.push(engine)
    await engine.start()
    return engine
  }
  const backUp = (engine: Engine, key: string) =>
    engine.run({ key, operation: 'backup', repository, workload }) as unknown as PromiseLike<{ point: string }>

  /** Takes the last block; what is already there stays whole. */
  async function fill(): Promise<void> {
    const file = await open(join(disk, 'filler'), 'w')
    try {
      for (const size of [65536, 4096, 1]) {
        for (;;) {
          const written = await file.write(Buffer.alloc(size, 1)).catch((error: NodeJS.ErrnoException) => error)
          if (!(written instanceof Error)) continue
          expect(written.code).toBe('ENOSPC')
          break
        }
      }
    } finally {
      await file.close()
    }
    expect((await statfs(disk)).bavail).toBe(0)
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-full-'))
    disk = join(folder, 'disk')
    await run('mkdir', [disk])
    await run('mount', ['-t', 'tmpfs', '-o', 'size=6m,mode=0700', 'holdfast-test', disk])
    const random = seededRandom(5)
    platform = memoryPlatform({ random, fileBytes: 400_000 })
    platform.addVolume('data')
    const engine = await openEngine()
    points.length = 0
    for (const key of ['one', 'two', 'three']) {
      const digest = platform.digest('data')
      points.push({ id: (await backUp(engine, key)).point, digest })
      for (let count = 0; count < 3; count++) platform.mutate(random)
    }
    await fill()
  })
  afterEach(async () => {
    for (const engine of engines.splice(0)) await engine.stop()
    await run('umount', [disk])
    await rm(folder, { recursive: true })
  })

  async function expectAllRestore(engine: Engine, kept: typeof points): Promise<void> {
    expect((await engine.points({ repository })).toReversed().map(({ id }) => id)).toEqual(kept.map(({ id }) => id))
    for (const { id, digest } of kept) {
      const restored = await engine.restore(workload, { point: id, name: `copy-${id}` })
      expect(platform.digest(restored.workload)).toBe(digest)
      platform.lose(restored.workload)
    }
  }

  it('backup: fails with DISK_FULL, leaves nothing and costs no point', async () => {
    const engine = engines[0] as Engine
    await expect(backUp(engine, 'full')).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining(disk) })
    await engine.idle()
    expect(platform.leftovers()).toEqual([])
    await checkFiles(disk)
    await expectAllRestore(engine, points)
  })

  it('restore, verify and rescan: work, also in an engine that starts on the full disk', async () => {
    await engines.splice(0)[0]?.stop()
    const engine = await openEngine()
    await expectAllRestore(engine, points)
    for (let count = 0; count < 2; count++) expect(await engine.verify({ repository })).toMatchObject({ points: 3, findings: [] })
    expect(await engine.rescan({ repository })).toMatchObject({ added: 0, removed: 0, findings: [] })
  })

  it('prune: makes room on the full disk, and then a backup works again', async () => {
    const engine = engines[0] as Engine
    await expect(backUp(engine, 'full')).rejects.toMatchObject({ code: 'DISK_FULL' })
    const pruned = await engine.prune({ repository, points: points.slice(0, 2).map(({ id }) => id) })
    expect(pruned.points).toEqual(
      points
        .slice(0, 2)
        .map(({ id }) => id)
        .sort(),
    )
    const digest = platform.digest('data')
    const { point } = await backUp(engine, 'again')
    await engine.idle()
    await checkFiles(disk)
    await expectAllRestore(engine, [...points.slice(2), { id: point, digest }])
    expect(await engine.verify({ repository })).toMatchObject({ points: 2, findings: [] })
  })
})
