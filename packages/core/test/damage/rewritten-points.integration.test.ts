import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { describeWithPeers } from '../../../../scripts/peers/test-peers.ts'
import { localRepository } from '../../src/repository/local-repository.ts'
import { HoldfastError } from '../../src/spec/errors.ts'
import { rot, twoRepositories } from './two-repositories.ts'

const { signal } = new AbortController()

describe('a copy over a damaged point', () => {
  it('that fails before its commit leaves the damaged one set aside', async () => {
    let isAway = false
    const { engine, copy, ids, offsite, flagsOf } = await twoRepositories({
      points: 2,
      maxFailures: 2,
      hooks: {
        offsite({ method, phase, arguments: [path] }) {
          if (!isAway || method !== 'put' || phase !== 'before' || !String(path).endsWith('manifest.2.json')) return
          isAway = false
          throw new HoldfastError('STALLED', 'away for a moment', { retryable: true })
        },
      },
    })
    await copy()
    await rot(offsite, `${ids[1]}/1`, '.qcow2')
    expect((await engine.verify({ repository: 'offsite' })).findings).not.toEqual([])
    isAway = true
    await copy(ids[1])
    expect(isAway).toBe(false)
    expect(await flagsOf(ids[1], 'offsite')).toEqual({})
    expect((await engine.verify({ repository: 'offsite' })).findings).toEqual([])
  })

  it('goes after its children when all of them are deleted (rule children-first)', async () => {
    const emptied: string[] = []
    const { engine, copy, ids, offsite } = await twoRepositories({
      points: 3,
      hooks: {
        offsite({ method, phase, arguments: [path, , options] }) {
          if (method === 'put' && phase === 'before' && (options as { readonly size?: number }).size === 0) emptied.push(String(path))
        },
      },
    })
    await copy()
    await rot(offsite, `${ids[0]}/1`, '.qcow2')
    await engine.verify({ repository: 'offsite' })
    await copy(ids[0])
    await engine.prune({ repository: 'offsite', points: ids })
    const placeOf = (ending: string) => emptied.findIndex((path) => path.endsWith(ending))
    expect(placeOf(`${ids[1]}/manifest.1.json`)).toBeGreaterThanOrEqual(0)
    expect(placeOf(`${ids[0]}/manifest.2.json`)).toBeGreaterThan(placeOf(`${ids[1]}/manifest.1.json`))
  })
})

describe('damage that a copy meets', () => {
  it('in a base where it goes is found there: the next copy builds on it no more', async () => {
    const { copy, backup, ids, offsite, flagsOf, idsIn } = await twoRepositories({ points: 2 })
    await copy()
    await rot(offsite, `${ids[1]}/1`, '.sums')
    await backup()
    expect(await copy()).toBeUndefined()
    expect(await flagsOf(ids[1], 'offsite')).toMatchObject({ quarantine: expect.any(String) })
    expect(await copy()).toMatchObject({ point: ids[2] })
    expect(await idsIn('offsite')).toContain(ids[2])
  })

  it.each(['a bad block', 'a lost file'])('%s in one point does not keep all newer ones from being copied', async (what) => {
    let bad = 'none'
    const { copy, backup, ids, main, platform, workload, idsIn } = await twoRepositories({
      points: 1,
      hooks: {
        main({ method, phase, arguments: [path] }) {
          if (phase !== 'before' || method !== 'open' || !String(path).includes(`${bad}/1/`) || !String(path).endsWith('.qcow2')) return
          throw new HoldfastError('REPOSITORY_FAILED', 'input/output error', { retryable: true })
        },
      },
    })
    await copy()
    await backup()
    platform.loseBitmaps(workload.id)
    await backup()
    if (what === 'a bad block') bad = ids[1] as string
    else for (const path of main.snapshot().keys()) if (path.includes(`${ids[1]}/1/`)) await main.delete(path, { signal })
    for (let night = 0; night < 3; night++) await copy()
    expect(await idsIn('offsite')).toEqual([ids[0], ids[2]])
  })
})

describe('what was read of one number says nothing of another', () => {
  it('a verification that has read the old one does not call the new one, written meanwhile, verified', async () => {
    let third = 'none'
    const [reached, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { engine, make, main, ids, flagsOf } = await twoRepositories({
      points: 3,
      hooks: {
        async main({ method, phase, arguments: [path] }) {
          if (phase !== 'before' || method !== 'open' || !String(path).includes(`${third}/1/`)) return
          third = 'none'
          reached.resolve()
          await goOn.promise
        },
      },
    })
    third = ids[2] as string
    const verifying = Promise.resolve(engine.run({ key: 'read', operation: 'verify', repository: 'main' }))
    await reached.promise
    const other = await make('b')
    await other.merge({ repository: 'main', point: ids[2] as string })
    await rot(main, `${ids[2]}/2`, '.qcow2')
    goOn.resolve()
    expect(((await verifying) as { readonly findings: unknown }).findings).toMatchObject([{ point: ids[2] }])
    expect(await flagsOf(ids[2], 'main')).toEqual({ quarantine: expect.any(String) })
  })
})

it('no backup builds on what a test restore has found damaged, though the damage is in a base', async () => {
  const { engine, workload, ids, main, backup, flagsOf } = await twoRepositories({ points: 3 })
  await rot(main, `${ids[0]}/1`, '.qcow2', 4)
  const trial = { operation: 'restore', purpose: 'test', repository: 'main', workload, name: 'probe' } as const
  await expect(engine.run({ ...trial, key: 'trial' })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  await engine.idle()
  expect(await flagsOf(ids[0], 'main')).toMatchObject({ quarantine: expect.any(String) })
  await backup()
  expect((await engine.points({ repository: 'main' }))[0]).toMatchObject({ id: ids[3], parents: [] })
})

describeWithPeers(['qemu-img'], 'another program', ({ 'qemu-img': qemu }) => {
  /** Two points of a disk, copied to a folder, and what the child is called there. */
  async function copiedToFolder(shape: 'ovirtLike' | 'esxiLike') {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-aliases-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const root = join(folder, 'points')
    const offsite = localRepository({ folder: root })
    const world = await twoRepositories({ points: 3, shape, offsite })
    const { engine, copy, ids } = world
    await copy()
    const pathOf = async (ending: string, id: string | undefined) => {
      for await (const { path } of offsite.list('', { signal }))
        if (path.includes(`${id}/`) && path.endsWith(ending)) return join(root, path)
      throw new Error(`no ${ending} of ${id}`)
    }
    const flip = async (path: string, back: number) => {
      const bytes = await readFile(path)
      bytes[bytes.length - back] = (bytes[bytes.length - back] ?? 0) ^ 1
      await writeFile(path, bytes)
      expect((await engine.verify({ repository: 'offsite' })).findings).not.toEqual([])
    }
    const youngest = await pathOf('/1/disk-0.qcow2', ids[2])
    const raw = join(folder, 'child.raw')
    const contents = async () => {
      await promisify(execFile)(qemu.path, ['convert', '-O', 'raw', youngest, raw])
      return await readFile(raw)
    }
    const before = await contents()
    expect(before.some((byte) => byte !== 0)).toBe(true)
    /** The bad point is copied anew and what was there goes: the child is read by its old name, and is what it was. */
    const expectMended = async (id: string | undefined) => {
      await copy(id)
      await engine.prune({ repository: 'offsite', retention: true })
      await engine.idle()
      expect((await engine.verify({ repository: 'offsite' })).findings).toEqual([])
      expect((await contents()).equals(before)).toBe(true)
    }
    return { ...world, pathOf, flip, expectMended }
  }

  const opens = 'opens the children of a point that was copied anew over a damaged one, also after prune'

  it.each([
    ['a qcow2', 'ovirtLike', '/1/disk-0.qcow2'],
    ['a kept VMDK', 'esxiLike', '.vmdk'],
  ] as const)(`${opens}: %s was damaged, and once more`, async (_, shape, ending) => {
    const { ids, pathOf, flip, expectMended } = await copiedToFolder(shape)
    await flip(await pathOf(ending, ids[0]), 3000)
    await expectMended(ids[0])
    await flip(await pathOf(ending.replace('/1/', '/2/'), ids[0]), 3000)
    await expectMended(ids[0])
  })

  it.each(['ovirtLike', 'esxiLike'] as const)(`${opens}: its manifest was damaged (%s)`, async (shape) => {
    const { ids, pathOf, flip, expectMended } = await copiedToFolder(shape)
    await flip(await pathOf('/manifest.1.json', ids[0]), 100)
    await expectMended(ids[0])
  })

  it(`${opens}: its manifest was damaged after a merge, when the name that they know was an alias already`, async () => {
    const { engine, ids, pathOf, flip, expectMended } = await copiedToFolder('ovirtLike')
    await engine.merge({ repository: 'offsite', point: ids[1] as string })
    await engine.idle()
    await engine.prune({ repository: 'offsite', retention: true })
    await engine.idle()
    await flip(await pathOf('/manifest.2.json', ids[1]), 100)
    await expectMended(ids[1])
  })
})
