import {
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import type { Provider } from '../spec/provider.ts'
import { createEngine } from './create-engine.ts'
import type { EngineOptions } from './engine.ts'

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
function parts(shape: 'tarVolume' | 'ovirtLike' = 'tarVolume') {
  const platform = memoryPlatform({ random: seededRandom(7) })
  const id = shape === 'tarVolume' ? platform.addVolume('data') : platform.addMachine('web', 2)
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const logger = recordingLogger()
  const make = (more: Partial<EngineOptions> = {}) =>
    createEngine({
      name: 'node-a',
      store,
      repositories: { main: repository },
      providers: { p: provider },
      logger,
      retry: { delayMs: 50 },
      ...more,
    })
  return { platform, id, store, repository, provider, logger, make }
}
const order = (id: string, key = 'k') => ({ key, operation: 'backup' as const, repository: 'main', workload: { provider: 'p', id } })

const thrown: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null-prototype object', () => Object.create(null)],
  ['symbol', () => Symbol('x')],
  ['string', () => 'boom'],
  ['error with bigint details', () => Object.assign(new Error('x'), { code: 'E', details: 5n })],
]
for (const [what, make] of thrown)
  test(`a provider that throws ${what} fails its run at the first attempt`, async () => {
    const w = parts()
    const engine = await w.make({
      leaseMs: 300,
      providers: {
        p: {
          ...w.provider,
          backup: async () => {
            throw make()
          },
        } as Provider,
      },
    })
    await engine.start()
    await expect(engine.run(order(w.id))).rejects.toThrow()
    const run = await engine.getRun('k')
    expect(run).toMatchObject({ state: 'failed', attempt: 1 })
    await engine.stop()
  })

test('an error whose details JSON cannot hold still ends its run', async () => {
  const w = parts()
  const { HoldfastError } = await import('../spec/errors.ts')
  const circular: { [x: string]: unknown } = {}
  circular.self = circular
  const engine = await w.make({
    leaseMs: 300,
    providers: {
      p: {
        ...w.provider,
        backup: async () => {
          throw new HoldfastError('INTERNAL', 'x', { details: circular as never })
        },
      } as Provider,
    },
  })
  await engine.start()
  await expect(engine.run(order(w.id))).rejects.toThrow()
  expect(await engine.getRun('k')).toMatchObject({ state: 'failed', attempt: 1 })
  await engine.stop()
})

test('stop(graceMs) returns although a provider never ends, and nothing goes on afterwards', async () => {
  const w = parts()
  const engine = await w.make({ leaseMs: 150, providers: { p: { ...w.provider, backup: () => new Promise(() => {}) } as Provider } })
  await engine.start()
  const handle = engine.run(order(w.id))
  void handle.then(
    () => {},
    () => {},
  )
  await sleep(100)
  await engine.stop({ graceMs: 100 })
  const run = await w.store.runs.get('k', { signal: new AbortController().signal })
  await sleep(400)
  const after = await w.store.runs.get('k', { signal: new AbortController().signal })
  expect(after?.leaseUntil).toBe(run?.leaseUntil)
})

test('stop(graceMs) returns although an undo never ends', async () => {
  const w = parts()
  const engine = await w.make({
    leaseMs: 150,
    retry: { maxFailures: 1 },
    providers: { p: { ...w.provider, undo: () => new Promise(() => {}) } as Provider },
  })
  await engine.start()
  const handle = engine.run(order(w.id))
  void handle.then(
    () => {},
    () => {},
  )
  await sleep(600)
  const ended = engine.stop({ graceMs: 100 }).then(() => 'ended')
  expect(await Promise.race([ended, sleep(3000).then(() => 'hangs')])).toBe('ended')
})

test('stop(graceMs) returns although recovery hangs in an undo', async () => {
  const w = parts()
  const engine = await w.make({
    leaseMs: 150,
    providers: {
      p: {
        ...w.provider,
        leftovers: async function* () {
          await new Promise(() => {})
        },
      } as Provider,
    },
  })
  void engine.start().catch(() => {})
  await sleep(100)
  const ended = engine.stop({ graceMs: 100 }).then(() => 'ended')
  expect(await Promise.race([ended, sleep(3000).then(() => 'hangs')])).toBe('ended')
})

test('a scheduler that cannot start makes start() reject and no unhandled rejection', async () => {
  const w = parts()
  const engine = await w.make({
    scheduler: {
      specVersion: 1,
      start: async () => {
        throw new Error('no scheduler')
      },
      notify: async () => {},
      stop: async () => {},
      async [Symbol.asyncDispose]() {},
    } as never,
  })
  const unhandled: unknown[] = []
  const listener = (e: unknown) => unhandled.push(e)
  process.on('unhandledRejection', listener)
  const outcome = await engine.start().then(
    () => 'ok',
    () => 'rejected',
  )
  await sleep(50)
  process.off('unhandledRejection', listener)
  await engine.stop()
  expect(unhandled).toEqual([])
  expect(outcome).toBe('rejected')
})

test('a listener of two events is taken off both', async () => {
  const w = parts()
  const engine = await w.make()
  const heard: unknown[] = []
  const listener = (e: unknown) => void heard.push(e)
  engine.on('run-started', listener)
  engine.on('run-finished', listener)
  engine.off('run-started', listener)
  engine.off('run-finished', listener)
  await engine.start()
  await engine.run(order(w.id))
  await engine.stop()
  expect(heard).toEqual([])
})

test('after stop every method rejects with ENGINE_STOPPED', async () => {
  const w = parts()
  const engine = await w.make()
  await engine.start()
  await engine.stop()
  const got: { [x: string]: unknown } = {}
  const calls: { [x: string]: () => PromiseLike<unknown> } = {
    start: () => engine.start(),
    recover: () => engine.recover(),
    idle: () => engine.idle(),
    getRun: () => engine.getRun('x'),
    runs: () => engine.runs().next(),
    cancel: () => engine.cancel('x'),
    plans: () => engine.plans(),
    points: () => engine.points({ repository: 'main' }),
    pin: () => engine.pin({ repository: 'main', point: 'x' }, 'y'),
    runPlan: () => engine.runPlan('x'),
    verify: () => engine.verify({ repository: 'main' }),
    removePlan: () => engine.removePlan('x'),
    hold: () => engine.hold({ repository: 'main', point: 'x' }, '2027-01-01T00:00:00Z'),
  }
  for (const [name, call] of Object.entries(calls))
    got[name] = await Promise.resolve(call()).then(
      () => 'resolved',
      (e: { code?: string }) => e.code,
    )
  expect(Object.entries(got).filter(([, v]) => v !== 'ENGINE_STOPPED')).toEqual([])
})

test('a hold until what is no ISO 8601 time with a zone rejects with INVALID_OPTIONS', async () => {
  const w = parts()
  const engine = await w.make()
  let promise: Promise<void> | undefined
  expect(() => {
    promise = engine.hold({ repository: 'main', point: 'x' }, 'never')
    promise.catch(() => {})
  }).not.toThrow()
  await expect(promise).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  await expect(engine.hold({ repository: 'main', point: 'x' }, '1')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  await engine.stop()
})

test('a notifier that hangs does not keep undos from being retried', async () => {
  const w = parts()
  let undos = 0
  const engine = await w.make({
    leaseMs: 150,
    stallMs: 200,
    notifiers: { n: { specVersion: 1, send: () => new Promise(() => {}), async [Symbol.asyncDispose]() {} } as never },
    providers: {
      p: {
        ...w.provider,
        undo: async (intent: { kind: string }) => {
          if (intent.kind === 'start-containers') return 'undone'
          undos++
          throw new Error('busy')
        },
      } as Provider,
    },
  })
  await engine.start()
  await engine.run(order(w.id))
  await sleep(300)
  const seen = undos
  await sleep(1200)
  expect(undos).toBeGreaterThan(seen)
  await engine.stop({ graceMs: 100 })
})

test('a stream that a provider opened and forgot is let go when the attempt ends', async () => {
  const w = parts()
  let inner: AbortSignal | undefined
  const restore: Provider['restore'] = async (request, source, run) => {
    inner = run.signal
    for (const file of source.files) await file.open(run)
    return await w.provider.restore(request, source, run)
  }
  const engine = await w.make({ providers: { p: { ...w.provider, restore } } })
  await engine.start()
  await engine.run(order(w.id))
  await engine.restore({ provider: 'p', id: w.id }, { name: 'copy' })
  await engine.idle()
  expect(inner?.aborted).toBe(true)
  await engine.stop()
})

test('a handle that is awaited when the engine stops rejects with ENGINE_STOPPED', async () => {
  const w = parts()
  const engine = await w.make({ providers: { p: { ...w.provider, backup: () => new Promise(() => {}) } } })
  await engine.start()
  const ended = expect(engine.run(order(w.id))).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  await engine.stop({ graceMs: 20 })
  await ended
})

test('a cancelled run that works in this process ends at once, not at its next renewal', { timeout: 5000 }, async () => {
  const w = parts()
  const begun = Promise.withResolvers<void>()
  const backup: Provider['backup'] = (_request, _sink, { signal }) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      begun.resolve()
    })
  // A third of this lease is longer than the test may take.
  const engine = await w.make({ leaseMs: 60_000, providers: { p: { ...w.provider, backup } } })
  await engine.start()
  const handle = engine.run(order(w.id))
  await begun.promise
  await handle.cancel('not today')
  await expect(handle).rejects.toMatchObject({ code: 'RUN_CANCELLED', message: expect.stringContaining('not today') })
  await engine.stop()
})

test('one repository under two names is refused at the start, and is not taken for a sign that the catalog was rolled back', async () => {
  const { make, repository } = parts()
  const engine = await make({ repositories: { main: repository, offsite: repository } })
  const warnings: string[] = []
  engine.on('warning', ({ code }) => warnings.push(code))
  await expect(engine.start()).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: expect.stringMatching(/^Repositories "main" and "offsite" are the same one/),
  })
  expect(warnings).toEqual([])
  await engine.stop()
})
