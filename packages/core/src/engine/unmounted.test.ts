import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countingIds, memoryPlatform, memoryStore, recordingLogger, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { options } from '../../test/plan-world.ts'
import { systemClock } from '../clock.ts'
import { localRepository } from '../repository/local-repository.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import { createEngine } from './create-engine.ts'

/** A repository on a share that can go away: what is left then is the empty folder on which it was mounted. */
async function site(shape: 'tarVolume' | 'ovirtLike' = 'tarVolume') {
  const top = mkdtempSync(join(tmpdir(), 'holdfast-unmounted-'))
  const folder = join(top, 'repository')
  mkdirSync(folder)
  const platform = memoryPlatform({ random: seededRandom(7) })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const local = localRepository({ folder })
  let mounted = true
  const unmount = () => {
    if (!mounted) return
    mounted = false
    renameSync(folder, `${folder}.away`)
    mkdirSync(folder)
  }
  const mount = () => {
    if (mounted) return
    rmSync(folder, { recursive: true })
    renameSync(`${folder}.away`, folder)
    mounted = true
  }
  const calls = { open: 0, list: 0 }
  const unmountAt: { open?: number; list?: number } = {}
  const mountedOnlyFor: { list?: boolean } = {}
  const badBlock: { path?: RegExp; errno?: string; from?: number } = {}
  const main: Repository = {
    ...local,
    async open(path, given) {
      if (++calls.open === unmountAt.open) unmount()
      const file = await local.open(path, given)
      if (!badBlock.path?.test(path) || calls.open < (badBlock.from ?? 0)) return file
      const { errno = 'EIO' } = badBlock
      const fail = () => {
        throw new HoldfastError('REPOSITORY_FAILED', `${errno}: cannot read`, { details: { errno } })
      }
      return { ...file, size: file.size, readInto: fail, stream: fail, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
    },
    async *list(prefix, given) {
      if (++calls.list === unmountAt.list) unmount()
      if (mountedOnlyFor.list) mount()
      try {
        yield* local.list(prefix, given)
      } finally {
        if (mountedOnlyFor.list) unmount()
      }
    },
  }
  const common = { store, logger: recordingLogger(), retry: { maxFailures: 1 } }
  const engine = await createEngine({ ...common, name: 'node-a', repositories: { main }, providers: { p: provider } })
  onTestFinished(async () => {
    await engine.stop()
    rmSync(top, { recursive: true, force: true })
  })
  await engine.start()
  const id = shape === 'tarVolume' ? platform.addVolume('a') : platform.addMachine('a', 1)
  const workload = { provider: 'p', id }
  const backup = (key: string) => engine.run({ key, operation: 'backup', repository: 'main', workload })
  for (let index = 0; index < 3; index++) await backup(`first-${index}`)
  const points = () => engine.points({ repository: 'main' })
  /** From the next call of this kind on, `after` more of them. */
  const unmountAfter = (kind: 'open' | 'list', after: number) => {
    unmountAt[kind] = calls[kind] + after
  }
  /** From the next call but `after` on, nothing can be read at all. */
  const readNothingAfter = (after: number) => Object.assign(badBlock, { path: /./, from: calls.open + after })
  return {
    engine,
    platform,
    store,
    folder,
    workload,
    readNothingAfter,
    unmount,
    mount,
    unmountAfter,
    mountedOnlyFor,
    badBlock,
    backup,
    points,
    common,
  }
}

test('a share that is unmounted during a rescan is no proof that its points are gone', async () => {
  const { engine, folder, mount, unmountAfter, backup, points } = await site()
  unmountAfter('list', 2)
  await expect(engine.rescan({ repository: 'main' })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  expect(await points()).toHaveLength(3)
  await expect(backup('into-the-empty-folder')).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  expect(readdirSync(folder)).toEqual([])
  mount()
  const made = (await backup('after')) as { readonly point: string }
  await engine.rescan({ repository: 'main' })
  expect((await points())[0]?.id).toBe(made.point)
})

test('a share that comes and goes between two looks is no repository whose repository.json was deleted', async () => {
  const { engine, unmount, mountedOnlyFor, points } = await site()
  unmount()
  mountedOnlyFor.list = true
  await expect(engine.rescan({ repository: 'main' })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING', retryable: true })
  expect(await points()).toHaveLength(3)
})

test.each(['full', 'quick'] as const)('a share that is unmounted during a verification, %s, quarantines nothing', async (mode) => {
  const { engine, mount, unmountAfter, workload, points } = await site()
  unmountAfter('open', 6)
  await expect(engine.verify({ repository: 'main', mode })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  mount()
  expect((await points()).filter((point) => point.flags.quarantine !== undefined)).toEqual([])
  expect((await engine.verify({ repository: 'main', mode })).findings).toEqual([])
  expect(await engine.restore(workload, { name: 'copy' })).toMatchObject({ workload: 'copy' })
})

test('the number of a lost attempt is not given up in the empty folder of a share that is not mounted', async () => {
  const { platform, store, folder, workload, unmount, common } = await site()
  const home = readdirSync(folder).find((name) => name.startsWith('a-')) ?? ''
  const request = { operation: 'backup', workload: `p/${workload.id}`, delay: 0, priority: 0, maxFailures: 3, resources: [] }
  const input = { operation: 'backup', repository: 'main', workload, options: {}, compression: 'none' }
  await store.runs.create([{ ...request, key: 'lost', needs: ['provider:other'], input }], options)
  const [run] = await store.runs.take({ id: 'dead', offers: ['provider:other'] }, 1, 1, options)
  const lease = { runId: run?.id ?? '', attempt: 1 }
  await store.runs.save(lease, { target: { repository: 'main', folder: `${home}/20261121T200000Z-0123456789abcdef`, number: 1 } }, options)
  unmount()
  const other = scriptedProvider(platform, { shape: 'tarVolume', name: 'other' })
  const repositories = { main: localRepository({ folder }) }
  await using engine = await createEngine({ ...common, name: 'node-b', repositories, providers: { other } })
  let told = false
  engine.on('warning', ({ code }) => {
    told ||= code === 'SETTLE_WAITS'
  })
  await engine.start()
  await expect.poll(() => told).toBe(true)
  expect(readdirSync(folder)).toEqual([])
})

test.each([
  ['data', /\/1\/.*tar/],
  ['manifest', /manifest\.1\.json$/],
])('a bad block under the %s of a point is a finding, and the others are verified', async (_, pattern) => {
  const { engine, badBlock, points } = await site()
  const oldest = (await points()).at(-1)?.id ?? ''
  badBlock.path = new RegExp(`${oldest}.*${pattern.source}`)
  const { findings } = await engine.verify({ repository: 'main' })
  expect(findings.map(({ point }) => point)).toEqual([oldest])
  const flags = (await points()).map((point) => [point.flags.verifiedAt !== undefined, point.flags.quarantine !== undefined])
  expect(flags).toEqual([
    [true, false],
    [true, false],
    [false, true],
  ])
})

test.each([
  ['manifest', /manifest\.1\.json$/],
  ['sums', /sums$/],
])('a bad block under the %s of the base makes the next backup a full, before the last try has failed', async (_, pattern) => {
  const { badBlock, backup, points } = await site('ovirtLike')
  const [newest] = await points()
  expect(newest?.parents).toHaveLength(1)
  badBlock.path = new RegExp(`${newest?.id}.*${pattern.source}`)
  await backup('next')
  expect((await points())[0]?.parents).toEqual([])
})

test.each(['EMFILE', 'ESTALE', 'ETIMEDOUT', 'ENOMEM'])(
  '%s while points are verified or built on says nothing of any point',
  async (errno) => {
    const { engine, badBlock, backup, points } = await site('ovirtLike')
    const [newest] = await points()
    Object.assign(badBlock, { errno, path: new RegExp(`${newest?.id}.*(sums|qcow2|manifest)`) })
    await expect(engine.verify({ repository: 'main' })).rejects.toMatchObject({
      code: 'REPOSITORY_FAILED',
      message: expect.stringContaining(errno),
    })
    await expect(backup('next')).rejects.toMatchObject({ code: 'REPOSITORY_FAILED', message: expect.stringContaining(errno) })
    badBlock.path = /^$/
    expect((await points()).filter(({ flags }) => flags.quarantine !== undefined)).toEqual([])
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
    await backup('after')
    expect((await points())[0]?.parents).toEqual([newest?.id])
  },
)

test('a disk of which nothing can be read any more in the middle of a verification says nothing of any point', async () => {
  const { engine, badBlock, readNothingAfter, points } = await site()
  readNothingAfter(4)
  await expect(engine.verify({ repository: 'main' })).rejects.toMatchObject({ code: 'REPOSITORY_FAILED' })
  badBlock.path = /^$/
  expect((await points()).filter(({ flags }) => flags.quarantine !== undefined)).toEqual([])
})

test('one repository under two names is refused', async () => {
  const { engine, folder, store, common } = await site()
  await engine.stop()
  const repositories = { main: localRepository({ folder }), twin: localRepository({ folder }) }
  await using both = await createEngine({ ...common, store, name: 'node-b', repositories, providers: {} })
  await both.verify({ repository: 'main' })
  await expect(both.verify({ repository: 'twin' })).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringContaining('"main" and "twin" are the same'),
  })
})
