import { countingIds, memoryStore } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import type { Clock } from '../../spec/clock.ts'
import type { Store } from '../../spec/store.ts'
import type { EngineParts } from '../parts.ts'
import { beginAttempt } from './attempt.ts'

const leaseMs = 200
const { signal } = new AbortController()

/** A process that stands still for `frozenMs` right after its next write was made, before it hears of it; meanwhile `others` act. */
async function frozenAfterWrite(frozenMs: number, others: (store: Store) => Promise<void>) {
  let now = 1_000_000
  // Timers do not fire in a process that stands still, and not before what it was waiting for when it goes on.
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => new Promise(() => {}) }
  const store = memoryStore({ clock, ids: countingIds('s') })
  await store.open({ signal })
  const request = { key: 'k', operation: 'backup', needs: [], resources: [], input: {}, delay: 0, priority: 0, maxFailures: 3 }
  await store.runs.create([request as never], { signal })
  const [run] = await store.runs.take({ id: 'a', offers: [] }, leaseMs, 1, { signal })
  if (!run) throw new Error('the run was not given')
  const save: Store['runs']['save'] = async (...given) => {
    await store.runs.save(...given)
    now += frozenMs
    await others(store)
  }
  const seen = { ...store, runs: { ...store.runs, save } }
  const parts = {
    clock,
    leaseMs,
    store: seen,
    system: 's',
    meters: new Map(),
    holds: new Map(),
    cancels: new Map(),
    gone: signal,
  } as unknown as EngineParts
  const attempt = beginAttempt(parts, run, new AbortController().signal)
  return { write: () => attempt.changeIntents((intents) => intents, { signal }), aim: () => attempt.aim({}, { signal }) }
}

const takeOver = async (store: Store) => {
  expect(await store.runs.take({ id: 'b', offers: [] }, leaseMs, 1, { signal })).toHaveLength(1)
}

test('freeze: an intent that was stored before the process stood still allows nothing once another has taken over', async () => {
  const { write } = await frozenAfterWrite(leaseMs + 1, takeOver)
  await expect(write()).rejects.toMatchObject({ code: 'STALE_LEASE' })
})

test('freeze: settling undoes nothing once another has taken over', async () => {
  const { aim } = await frozenAfterWrite(leaseMs + 1, takeOver)
  await expect(aim()).rejects.toMatchObject({ code: 'STALE_LEASE' })
})

test('freeze: a lease that ended and was not taken is kept', async () => {
  const { write } = await frozenAfterWrite(leaseMs + 1, async () => {})
  await expect(write()).resolves.toBeUndefined()
})
