import { getEventListeners } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countingIds, memoryPlatform, memoryRepository, memoryStore, observeCalls, recordingLogger, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { localRepository } from '../repository/local-repository.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Provider } from '../spec/provider.ts'
import type { Repository } from '../spec/repository.ts'
import { createEngine } from './create-engine.ts'
import type { EngineOptions } from './engine.ts'

const { signal } = new AbortController()
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
function parts(shape: 'tarVolume' | 'ovirtLike' | 'esxiLike' = 'ovirtLike', repository: Repository = memoryRepository({ clock: systemClock }), turn?: (l: string, m: 'before' | 'after') => Promise<void>) {
  const platform = memoryPlatform({ random: seededRandom(7) })
  const id = shape === 'tarVolume' ? platform.addVolume('data') : platform.addMachine('web', 2)
  const store = memoryStore({ clock: systemClock, ids: countingIds('s'), ...(turn && { turn }) })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const logger = recordingLogger()
  const make = (more: Partial<EngineOptions> = {}) =>
    createEngine({ name: 'node-a', store, repositories: { main: repository }, providers: { p: provider }, logger, retry: { delayMs: 30 }, leaseMs: 600, ...more })
  return { platform, id, store, repository, provider, logger, make }
}
const order = (id: string, key = 'k', repository = 'main') => ({ key, operation: 'backup' as const, repository, workload: { provider: 'p', id } })

test('no file descriptors leak over backups, restores and verifies', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attack-'))
  const w = parts('ovirtLike', localRepository({ folder }))
  const engine = await w.make()
  await engine.start()
  const fds = () => readdirSync('/proc/self/fd').length
  const warnings: string[] = []
  process.on('warning', (x) => warnings.push(String(x)))
  let first = 0
  for (let n = 0; n < 40; n++) {
    w.platform.mutate(seededRandom(n))
    await engine.run(order(w.id, `k${n}`))
    await engine.restore({ provider: 'p', id: w.id }, { name: `r${n}` })
    if (n % 10 === 0) await engine.verify({ repository: 'main' })
    if (n === 5) first = fds()
  }
  expect(fds()).toBeLessThanOrEqual(first + 3)
  expect(warnings).toEqual([])
  await engine.stop()
  rmSync(folder, { recursive: true })
}, 120000)

test('a provider that opens and forgets leaves no timer after the run', async () => {
  const w = parts('tarVolume')
  const engine = await w.make({ providers: { p: { ...w.provider, restore: async (q, s, r) => { for (const f of s.files) await f.open(r); return w.provider.restore(q, s, r) } } } })
  await engine.start()
  await engine.run(order(w.id))
  await engine.restore({ provider: 'p', id: w.id }, { name: 'r' })
  await engine.stop()
  await sleep(50)
  const timers = process.getActiveResourcesInfo().filter((x) => x === 'Timeout').length
  const e2 = await w.make()
  await e2.start()
  await e2.stop()
  console.log('timers', timers)
  await sleep(50)
  expect(timers).toBeLessThanOrEqual(1)
})

test('attempt signal gathers no listeners while a run has many items', async () => {
  const w = parts('tarVolume')
  let most = 0
  const engine = await w.make({ providers: { p: { ...w.provider, backup: async (q, sink, run) => {
    for (let n = 0; n < 300; n++) {
      await sink.stream({ format: 'bytes', name: `f${n}`, open: async () => ({ async *[Symbol.asyncIterator]() { yield new Uint8Array(10) }, async [Symbol.asyncDispose]() {} }) })
      most = Math.max(most, getEventListeners(run.signal, 'abort').length)
    }
    return w.provider.backup(q, sink, run)
  } } } })
  await engine.start()
  await engine.run(order(w.id))
  expect(most).toBeLessThan(8)
  await engine.stop()
})

test('same key with another operation attaches', async () => {
  const w = parts('tarVolume')
  const engine = await w.make()
  await engine.start()
  const a = await engine.run(order(w.id))
  const b = await engine.run({ key: 'k', operation: 'verify', repository: 'main' })
  expect(b).toEqual(a)
  await engine.stop()
})

for (const shape of ['tarVolume', 'ovirtLike', 'esxiLike'] as const)
test(`${shape}: store fails at every call once, before or after; the run comes to its end and leaves nothing`, async () => {
  const count = async (failAt: number, moment: 'before' | 'after') => {
    let calls = 0
    let armed = false
    let failed = ''
    const w = parts(shape, undefined, async (label, m) => {
      if (!armed || m !== moment) return
      if (++calls === failAt) { failed = label; throw new HoldfastError('STORE_BUSY', `busy at ${label}`) }
    })
    const engine = await w.make()
    await engine.start()
    await engine.run(order(w.id, 'k0'))
    await engine.idle()
    armed = true
    let outcome: unknown
    for (let n = 0; ; n++) {
      outcome = await Promise.resolve(engine.run(order(w.id, 'k'))).then(() => 'ok', (e: HoldfastError) => `${e.code} ${e.message}`)
      if (outcome === 'ok' || n > 3) break
      const run = await w.store.runs.get('k', { signal })
      if (run?.state === 'failed' || run?.state === 'cancelled') break
    }
    armed = false
    await engine.idle()
    const left = w.platform.leftovers()
    const { findings } = await engine.verify({ repository: 'main' })
    const points = await engine.points({ repository: 'main' })
    await engine.stop()
    return { failed, outcome, left, findings, points: points.length, calls }
  }
  const bad: unknown[] = []
  for (const moment of ['before', 'after'] as const)
    for (let at = 1; at < 45; at++) {
      const r = await count(at, moment)
      if (r.outcome !== 'ok' || r.left.length || r.findings.length || r.points !== 2) bad.push([at, moment, r])
      if (!r.failed) break
    }
  expect(bad).toEqual([])
}, 180000)

test('cancel at every repository call: the run is cancelled or succeeded, never half', async () => {
  const bad: unknown[] = []
  for (let at = 1; at < 80; at++) {
    let calls = 0
    let armed = false
    let hook: (() => Promise<void>) | undefined
    const w = parts('ovirtLike', observeCalls(memoryRepository({ clock: systemClock }), async () => { if (armed && ++calls === at) await hook?.() }, { seam: 'r' }))
    const engine = await w.make({ leaseMs: 60 })
    await engine.start()
    await engine.run(order(w.id, 'k0'))
    await engine.idle()
    armed = true
    const handle = engine.run(order(w.id, 'k'))
    hook = async () => { await handle.cancel('test'); await sleep(70) }
    const outcome = await Promise.resolve(handle).then(() => 'ok', (e: HoldfastError) => e.code)
    armed = false
    await engine.idle()
    const points = (await engine.points({ repository: 'main' })).length
    const state = (await engine.getRun('k'))?.state
    const { findings } = await engine.verify({ repository: 'main' })
    if (w.platform.leftovers().length || findings.length || points !== (outcome === 'ok' ? 2 : 1) || (outcome !== 'ok' && outcome !== 'RUN_CANCELLED') || (state !== 'succeeded' && state !== 'cancelled')) bad.push([at, outcome, points, state, findings, w.platform.leftovers()])
    await engine.stop()
    if (calls < at) break
  }
  expect(bad).toEqual([])
}, 180000)

test('two engines of the same name on one store share the work', async () => {
  const w = parts('tarVolume')
  const [a, b] = [await w.make(), await w.make()]
  await Promise.all([a.start(), b.start()])
  const runs = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => (n % 2 ? a : b).run(order(w.id, `k${n}`))))
  expect(runs.every((r) => r.status === 'fulfilled')).toBe(true)
  expect((await a.points({ repository: 'main' })).length).toBe(10)
  await Promise.all([a.stop(), b.stop()])
})

test('a provider that is not configured any more: start, stop, other work go on', async () => {
  const w = parts('tarVolume')
  const engine = await w.make({ providers: { p: { ...w.provider, backup: () => new Promise(() => {}) } as Provider } })
  await engine.start()
  const h = engine.run(order(w.id))
  void h.then(() => {}, () => {})
  await sleep(200)
  await engine.stop({ graceMs: 10 })
  const other = memoryPlatform()
  const id = other.addVolume('x')
  const e2 = await w.make({ providers: { q: scriptedProvider(other, { shape: 'tarVolume', name: 'q' }) } })
  await e2.start()
  await e2.run({ key: 'o', operation: 'backup', repository: 'main', workload: { provider: 'q', id } })
  await e2.stop()
})
