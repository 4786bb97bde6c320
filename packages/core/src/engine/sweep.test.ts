import {
  type CallPoint,
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  observeCalls,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hour, minute, options, planWorld } from '../../test/plan-world.ts'
import { systemClock } from '../clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { bytesOf } from '../spec/helpers/bytes.ts'
import { createEngine } from './create-engine.ts'

test('a platform that cannot be looked at for leftovers is a warning that says why', async () => {
  const provider = scriptedProvider(memoryPlatform({ random: seededRandom(7) }), { shape: 'tarVolume', name: 'p' })
  const failure = new HoldfastError('UNREACHABLE', 'There is no Docker socket at /run/docker.sock.')
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock: systemClock }) },
    providers: {
      docker: {
        ...provider,
        // biome-ignore lint/correctness/useYield: it fails before it finds anything.
        async *leftovers() {
          throw failure
        },
      },
    },
  })
  onTestFinished(() => engine.stop())
  const warnings: unknown[] = []
  engine.on('warning', (warning) => void warnings.push(warning))
  await engine.start()
  expect(warnings).toEqual([
    {
      code: 'SWEEP_FAILED',
      message: 'provider "docker" was not looked at for leftovers: There is no Docker socket at /run/docker.sock.',
      cause: failure,
    },
  ])
})

test('the empty manifest of a dead number stays for twice the grace time, and longer while a clock is not trusted', async () => {
  const { clock, platform, make } = planWorld()
  const repository = memoryRepository({ clock })
  const engine = await make({}, { repositories: { main: repository } })
  const workload = { provider: 'p', id: platform.addVolume('a') }
  await clock.runUntil(engine.start())
  const backup = engine.run({ key: 'k', operation: 'backup', repository: 'main', workload })
  await clock.runUntil(Promise.resolve(backup))
  const [point] = await engine.points({ repository: 'main' })
  await clock.runUntil(Promise.resolve(engine.prune({ repository: 'main', points: [point?.id ?? ''] })))
  const manifests = async () => {
    const found: string[] = []
    for await (const { path } of repository.list('', options)) if (path.includes('manifest')) found.push(path)
    return found.length
  }
  let sweeps = 0
  const sweptAfter = async (hours: number) => {
    await clock.advance(hours * hour)
    sweeps += 1
    const key = `sweep-${sweeps}`
    await clock.runUntil(Promise.resolve(engine.run({ key, operation: 'sweep', repository: 'main' })))
    return await manifests()
  }
  expect(await sweptAfter(47)).toBe(1)
  clock.jump(2 * hour)
  expect(await sweptAfter(0)).toBe(1)
  engine.confirmClock()
  expect(await sweptAfter(0)).toBe(0)
  await clock.runUntil(engine.stop({ graceMs: 1 }))
})

test('a dead number is not given up again and again while a manifest beside it cannot be read', async () => {
  const { clock, platform, make } = planWorld()
  const memory = memoryRepository({ clock })
  const changed: string[] = []
  const hook = ({ method, phase, arguments: [path] }: CallPoint) => {
    if ((method === 'put' || method === 'delete') && phase === 'before' && !String(path).endsWith('repository.json'))
      changed.push(`${method} ${path}`)
  }
  const engine = await make({}, { repositories: { main: observeCalls(memory, hook, { seam: 'main' }) }, graceMs: minute })
  await clock.runUntil(engine.start())
  const workload = { provider: 'p', id: platform.addVolume('a') }
  await clock.runUntil(Promise.resolve(engine.run({ key: 'k', operation: 'backup', repository: 'main', workload, compression: 'none' })))
  const home = [...memory.snapshot().keys()].find((path) => path.includes('/'))?.split('/')[0]
  // Of a run that nobody remembers, beside a manifest that has rotted.
  const folder = `${home}/20261101T000000Z-0123456789abcdef`
  await memory.put(`${folder}/1/disk.qcow2`, bytesOf(Buffer.from('bytes')), options)
  await memory.put(`${folder}/manifest.1.json`, bytesOf(new Uint8Array(0)), options)
  await memory.put(`${folder}/manifest.2.json`, bytesOf(Buffer.from('rotten')), options)
  const sweep = async (key: string) => {
    await clock.advance(3 * minute)
    await clock.runUntil(Promise.resolve(engine.run({ key, operation: 'sweep', repository: 'main' })))
  }
  changed.length = 0
  for (const key of ['one', 'two', 'three']) await sweep(key)
  expect(changed).toEqual([])
  await memory.delete(`${folder}/manifest.2.json`, options)
  await sweep('four')
  expect([...memory.snapshot().keys()].filter((path) => path.startsWith(folder))).toEqual([])
  await clock.runUntil(engine.stop({ graceMs: 1 }))
})

test('a take-over that died after it had become the owner is done again, and ends well', async () => {
  const { clock, platform, make } = planWorld()
  const repository = memoryRepository({ clock })
  const first = await make({}, { repositories: { main: repository } })
  await clock.runUntil(first.start())
  const workload = { provider: 'p', id: platform.addVolume('a') }
  const backup = first.run({ key: 'k', operation: 'backup', repository: 'main', workload })
  await clock.runUntil(Promise.resolve(backup))
  const store = memoryStore({ clock, ids: countingIds('t') })
  const second = await make({}, { repositories: { main: repository }, store, name: 'node-b' })
  await clock.runUntil(second.start())
  const refused: unknown = await clock.runUntil(
    Promise.resolve(second.run({ key: 'prune', operation: 'sweep', repository: 'main' })).catch((error: unknown) => error),
  )
  const takeOver = ((refused as HoldfastError).details as { cause: { owner: string } }).cause.owner
  const finish = store.runs.finish.bind(store.runs)
  let died = 0
  ;(store.runs as { finish: typeof finish }).finish = async (...given) => {
    if (died++ === 0) throw new HoldfastError('STORE_FAILED', 'the process dies', { retryable: true })
    return await finish(...given)
  }
  const rescan = second.rescan({ repository: 'main', takeOver })
  const outcome = clock.runUntil(Promise.resolve(rescan))
  expect(await outcome).toMatchObject({ repository: 'main', added: 1 })
  const again = second.rescan({ repository: 'main', takeOver, key: 'again' })
  expect(await clock.runUntil(Promise.resolve(again))).toMatchObject({ added: 0, removed: 0 })
})
