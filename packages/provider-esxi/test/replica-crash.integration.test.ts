import { expect, test } from 'vitest'
import type { Death } from './support/dying-connection.ts'
import { type DeadAttempt, interruptedAt, refresh, refreshAndDie, settleByIntents, settleByLeftovers } from './support/replica-crash.ts'
import { diskOf, original, pointOf, type ReplicaHost, replicaHost, replicaName } from './support/replica-host.ts'
import { disksOf } from './support/restore-host.ts'

/** Of a restore with a target. */
const firstCall = 'CreateContainerView'
const neighbour = { name: 'neighbour', uuid: '22222222-0000-4000-8000-000000000000' }

async function replicated(): Promise<{ readonly host: ReplicaHost; readonly id: string }> {
  const host = await replicaHost({ machines: [original, neighbour] })
  return { host, id: await host.replicate('a') }
}

/** Nothing but exactly one replica, which holds this point, whatever else is true. */
async function expectOneReplica(host: ReplicaHost, id: string, point: string): Promise<void> {
  expect(host.replicas()).toEqual(['neighbour unmarked', `${replicaName} replica ${point}`])
  const { settings, powerState, conduct } = host.machine()
  expect([settings.instanceUuid, powerState]).toEqual([id, 'poweredOff'])
  expect((await disksOf(host.machine()))[0]?.[0]).toBe(diskOf(point)[0])
  expect(conduct.annotation).not.toContain('replica-swap')
  const { settings: own, conduct: ownConduct, powerState: ownPower } = host.machine(original.name)
  expect([own.instanceUuid, ownConduct.annotation, ownPower]).toEqual([original.instanceUuid, '', 'poweredOn'])
}

type Settle = (host: ReplicaHost, dead: DeadAttempt) => Promise<{ readonly workload: string } | undefined>

/** Dies, is settled, and is tried again by the next attempt. Undefined: it came to its end. */
async function dieAndGoOn(death: Death, settle: Settle): Promise<'kept' | 'replaced' | undefined> {
  const { host, id } = await replicated()
  try {
    const dead = await refreshAndDie(host, id, 'b', death)
    if (!dead.died) return undefined
    // At no moment there is none at all that is whole.
    expect(host.replicas().join()).toMatch(/replica a|replica-swap b|replica b/)
    const delivered = await settle(host, dead)
    const outcome = host.replicas().at(-1)?.endsWith(' b') ? 'replaced' : 'kept'
    await expectOneReplica(host, id, outcome === 'kept' ? 'a' : 'b')
    if (delivered !== undefined) expect([outcome, delivered.workload]).toEqual(['replaced', id])
    if (delivered === undefined) expect(await host.replicate(pointOf('b'), { target: id }, host.run({ attempt: 2 }))).toBe(id)
    await expectOneReplica(host, id, 'b')
    // Again, later: nothing changes.
    await settle(host, dead)
    await expectOneReplica(host, id, 'b')
    expect(host.simulator.leases.open.size).toBe(0)
    return outcome
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

/** Where nothing was changed yet it is the same whether an answer was still read. */
const ways: readonly (readonly [Death['when'], string, string, number, Settle])[] = [
  ['before', 'by its intents', firstCall, 28, settleByIntents],
  ['after', 'by its intents', 'CreateImportSpec', 11, settleByIntents],
  ['before', 'by what the host says', 'HttpNfcLeaseComplete', 8, (host) => settleByLeftovers(host)],
  ['after', 'by what the host says', 'HttpNfcLeaseComplete', 8, (host) => settleByLeftovers(host)],
]

test.each(ways)(
  'a replica that dies %s any call on its way to another point, is settled %s and tried again, is one that holds it',
  async (...way) => {
    const [when, , from, atLeast, settle] = way
    const outcomes: string[] = []
    for (let at = 1; at < 200; at += 1) {
      const outcome = await dieAndGoOn({ from, at, when }, settle)
      if (outcome === undefined) break
      outcomes.push(outcome)
    }
    expect(outcomes.length).toBeGreaterThanOrEqual(atLeast)
    // Once it is begun the swap is finished, never taken back.
    expect(outcomes.join()).toMatch(/^(kept,)+replaced(,replaced)+$/)
  },
)

test.each([
  ['ReconfigVM_Task', 1, 'a'],
  ['Destroy_Task', 1, 'b'],
  ['ReconfigVM_Task', 2, 'b'],
  ['ReconfigVM_Task', 3, 'b'],
])('an attempt that wakes up before its %s number %i, when all was settled, changes nothing any more', async (method, number, point) => {
  const { host, id } = await replicated()
  const run = host.run()
  const late = interruptedAt(host, { method, number }, () => settleByIntents(host, { run, died: true }))
  await refresh({ ...host, connection: late }, id, 'b', run).catch(() => undefined)
  await expectOneReplica(host, id, point)
  expect(await host.replicate('c', { target: id })).toBe(id)
  await expectOneReplica(host, id, 'c')
  await host[Symbol.asyncDispose]()
})

/** Dies when the new one is whole and marked as such, and the old one is still there. */
async function diedBeforeTheOldOneWent(): Promise<{ readonly host: ReplicaHost; readonly id: string; readonly dead: DeadAttempt }> {
  const { host, id } = await replicated()
  const dead = await refreshAndDie(host, id, 'b', { from: 'Destroy_Task', at: 1, when: 'before' })
  expect(host.replicas()).toEqual(['neighbour unmarked', 'web_replica replica a', expect.stringMatching(/ replica-swap b$/)])
  return { host, id, dead }
}

test.each([
  ['was started', (host: ReplicaHost) => Object.assign(host.machine(), { powerState: 'poweredOn' }), 'replica a'],
  ["is nobody else's any more", (host: ReplicaHost) => Object.assign(host.machine().conduct, { annotation: 'mine' }), 'unmarked'],
])('an old replica that %s while a dead attempt was not settled stays, and so does the new one', async (_what, change, left) => {
  const { host, id, dead } = await diedBeforeTheOldOneWent()
  const annotation = host.machine().conduct.annotation
  change(host)
  for (const settle of [() => settleByIntents(host, dead), () => settleByLeftovers(host)]) {
    await expect(settle()).rejects.toMatchObject({ code: 'UNDO_FAILED', retryable: true, message: expect.stringContaining(replicaName) })
    expect(host.replicas()).toEqual(['neighbour unmarked', `web_replica ${left}`, expect.stringMatching(/ replica-swap b$/)])
  }
  expect(host.machine().settings.instanceUuid).toBe(id)
  Object.assign(host.machine().conduct, { annotation })
  host.machine().powerState = 'poweredOff'
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
  await expectOneReplica(host, id, 'b')
  await host[Symbol.asyncDispose]()
})

test('an old replica that somebody has registered anew meanwhile is found by its id, and replaced all the same', async () => {
  const { host, id } = await replicated()
  const run = host.run()
  const moved = interruptedAt(host, { method: 'ReconfigVM_Task', number: 1 }, async () => {
    Object.assign(host.machine(), { value: 'registered-anew' })
  })
  await expect(refresh({ ...host, connection: moved }, id, 'b', run)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await settleByIntents(host, { run, died: true })).toEqual({ workload: id })
  await expectOneReplica(host, id, 'b')
  await host[Symbol.asyncDispose]()
})

test('another run waits for a swap that is not settled yet', async () => {
  const { host, id, dead } = await diedBeforeTheOldOneWent()
  await expect(host.replicate('c', { target: id })).rejects.toMatchObject({ code: 'IN_USE', retryable: true })
  await settleByIntents(host, dead)
  expect(await host.replicate('c', { target: id })).toBe(id)
  await expectOneReplica(host, id, 'c')
  await host[Symbol.asyncDispose]()
})

test('a name that somebody has taken while the replica was between two machines is told, and the swap goes on when it is free', async () => {
  const { host, id } = await replicated()
  const dead = await refreshAndDie(host, id, 'b', { from: 'Destroy_Task', at: 1, when: 'after' })
  while (host.simulator.machine(replicaName) !== undefined) await new Promise((resolve) => setImmediate(resolve))
  Object.assign(host.machine(neighbour.name), { name: replicaName })
  const told = dead.run.undoOpen()
  await expect(told).rejects.toMatchObject({ code: 'NAME_TAKEN' })
  Object.assign(host.machine(replicaName), { name: neighbour.name })
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
  await expectOneReplica(host, id, 'b')
  await host[Symbol.asyncDispose]()
})

test('a machine that is between two places is not removed by the intent of its import alone', async () => {
  const { host, dead } = await diedBeforeTheOldOneWent()
  const [removal] = dead.run.intents
  if (removal === undefined) throw new Error('there is no intent')
  const alone = host.run()
  await alone.run.intend(removal.kind, removal.data)
  await expect(alone.undoOpen()).rejects.toMatchObject({ code: 'UNDO_FAILED', retryable: true })
  expect(host.replicas()).toHaveLength(3)
  await settleByIntents(host, dead)
  await host[Symbol.asyncDispose]()
})
