import {
  countingIds,
  memoryNotifier,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Provider } from '../../spec/provider.ts'
import { createEngine } from '../create-engine.ts'
import type { EngineOptions } from '../engine.ts'

function world() {
  const platform = memoryPlatform({ random: seededRandom(7) })
  const id = platform.addVolume('data')
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const provider = scriptedProvider(platform, { shape: 'tarVolume', name: 'p' })
  const mail = memoryNotifier()
  const faults: { backup?: (signal: AbortSignal) => Promise<never>; undo?: (kind: string) => Promise<'undone'> } = {}
  const faulty: Provider = {
    ...provider,
    backup: (...given) => faults.backup?.(given[2].signal) ?? provider.backup(...given),
    undo: (...given) => faults.undo?.(given[0].kind) ?? provider.undo(...given),
  }
  const make = (more: Partial<EngineOptions> = {}) =>
    createEngine({
      name: 'node-a',
      store,
      repositories: { main: repository },
      providers: { p: faulty },
      notifiers: { mail },
      plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
      retry: { maxFailures: 2, delayMs: 20 },
      ...more,
    })
  const types = () => mail.received.map(({ type }) => type)
  const forget = () => {
    ;(mail.received as unknown[]).length = 0
  }
  return { id, store, repository, mail, faults, make, types, forget }
}

const full = async (): Promise<never> => {
  throw new HoldfastError('DISK_FULL', 'The repository is full.', { retryable: true, remedy: 'Free space.' })
}

describe('people are told', () => {
  it('of a failure, of each try before it, and once when it works again; all of it before the engine has stopped', async () => {
    const { faults, make, mail, types } = world()
    faults.backup = full
    const before = Date.now()
    const first = await make()
    await first.start()
    await expect(first.runPlan('nightly')).rejects.toThrow('full')
    delete faults.backup
    await first.runPlan('nightly')
    await first.runPlan('nightly')
    await first.stop()
    expect(types().sort()).toEqual(['run-failed', 'run-recovered', 'run-retried', 'run-succeeded', 'run-succeeded'])
    const failed = mail.received.find(({ type }) => type === 'run-failed')
    expect(failed?.text).toBe('Backup of p/data (plan "nightly") failed at attempt 2: The repository is full. Free space.')
    expect(failed?.data).toMatchObject({ plan: 'nightly', workload: 'p/data', error: { code: 'DISK_FULL' } })
    for (const { at } of mail.received) {
      expect(Date.parse(at)).toBeGreaterThanOrEqual(before - 1)
      expect(Date.parse(at)).toBeLessThanOrEqual(Date.now() + 1)
    }
  })

  it('by an engine that only does what it is asked, and is never started', async () => {
    const { make, types } = world()
    const engine = await make()
    await engine.runPlan('nightly')
    await engine.stop()
    expect(types()).toEqual(['run-succeeded'])
  })

  it('of a second failure after it worked again', async () => {
    const { faults, make, types } = world()
    const engine = await make({ retry: { maxFailures: 1 } })
    for (let round = 0; round < 2; round++) {
      faults.backup = full
      await expect(engine.runPlan('nightly')).rejects.toThrow('full')
      delete faults.backup
      await engine.runPlan('nightly')
    }
    await engine.stop()
    expect(types().filter((type) => type === 'run-failed').length).toBe(2)
    expect(types().filter((type) => type === 'run-recovered').length).toBe(2)
  })

  it('of a damaged point once, however often it is verified, and again when it is damaged after it was trusted again', async () => {
    const { make, repository, mail, types } = world()
    const engine = await make()
    const [backup] = await engine.runPlan('nightly')
    const point = backup?.point ?? ''
    for (const [path, bytes] of repository.snapshot()) if (/\/1\/.*tar/.test(path)) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const count = async () => {
      const { findings } = await engine.verify({ repository: 'main' })
      expect(findings.length).toBeGreaterThan(0)
      return (await deliveredTypes(engine, types)).filter((type) => type === 'point-quarantined').length
    }
    expect(await count()).toBe(1)
    expect(await count()).toBe(1)
    await engine.liftQuarantine({ repository: 'main', point })
    expect(await count()).toBe(2)
    const told = mail.received.find(({ type }) => type === 'point-quarantined')
    expect(told).toMatchObject({ severity: 'error', data: { repository: 'main', workload: 'p/data', point } })
    expect(told?.text).toContain(`Point ${point} of p/data in repository "main" is damaged and not used any more: `)
    expect(mail.received.filter(({ type, severity }) => type === 'run-succeeded' && severity === 'warning').length).toBe(3)
    await engine.stop()
  })

  it('once of what cannot be undone', async () => {
    const { faults, make, mail } = world()
    faults.undo = async (kind) => {
      if (kind === 'start-containers') return 'undone'
      throw new Error('the platform is busy')
    }
    const engine = await make({ leaseMs: 150 })
    await engine.start()
    await engine.runPlan('nightly')
    await expect.poll(() => mail.received.filter(({ type }) => type === 'undo-failed').length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 500))
    delete faults.undo
    await engine.stop()
    expect(mail.received.filter(({ type }) => type === 'undo-failed')).toMatchObject([
      { severity: 'error', text: expect.stringContaining('could not be undone yet'), data: { workload: 'p/data', plan: 'nightly' } },
    ])
  })

  it('of a run that was cancelled before it began, and of one that was at work', async () => {
    const { id, faults, make, mail } = world()
    faults.backup = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const engine = await make({ leaseMs: 300 })
    const order = { operation: 'backup', repository: 'main', workload: { provider: 'p', id } } as const
    const working = engine.run({ key: 'working', ...order })
    await expect.poll(async () => (await engine.getRun('working'))?.state).toBe('running')
    const waiting = engine.run({ key: 'waiting', ...order })
    await waiting.cancel('not today')
    await working.cancel('too slow')
    await expect(working).rejects.toThrow()
    await expect(waiting).rejects.toThrow()
    await engine.stop()
    expect(mail.received.map(({ type, severity, text }) => [type, severity, text])).toEqual([
      ['run-cancelled', 'info', 'Backup of p/data was cancelled before it began: not today'],
      ['run-cancelled', 'info', expect.stringMatching(/^Backup of p\/data: .*too slow/)],
    ])
  })

  it('of a database that was put back from a copy, once', async () => {
    const { make, store, types, forget } = world()
    const first = await make()
    await first.start()
    const copy = store.dump()
    await first.runPlan('nightly')
    await first.stop()
    const second = await make()
    await second.start()
    await second.stop()
    store.load(copy)
    forget()
    const third = await make()
    await third.start()
    await third.stop()
    expect(types().filter((type) => type === 'catalog-rolled-back').length).toBe(1)
    const fourth = await make()
    await fourth.start()
    await fourth.stop()
    expect(types().filter((type) => type === 'catalog-rolled-back').length).toBe(1)
  })

  it('of a repository that was taken over', async () => {
    const { make, repository, mail } = world()
    const first = await make()
    await first.start()
    await first.stop()
    const owner = JSON.parse(new TextDecoder().decode(repository.snapshot().get('repository.json'))).owner as string
    const store = memoryStore({ clock: systemClock, ids: countingIds('other') })
    const second = await make({ store })
    await second.start()
    await second.rescan({ repository: 'main', takeOver: owner })
    await second.stop()
    expect(mail.received.find(({ type }) => type === 'repository-taken-over')).toMatchObject({
      severity: 'warning',
      text: expect.stringContaining(`its owner was ${owner}`),
    })
  })
})

/** What has arrived once everything that waits is delivered. */
async function deliveredTypes(engine: { runDue(): Promise<void> }, types: () => readonly string[]): Promise<readonly string[]> {
  await engine.runDue()
  return types()
}
