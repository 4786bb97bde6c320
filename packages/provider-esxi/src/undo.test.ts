import type { Clock, Intent } from '@holdfast/core/spec'
import { type MemoryRun, memoryRunContext, type SimulatedMachine } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { machineNamed, snapshotsOf } from '../test/support/changing-machine.ts'
import { dyingConnection } from '../test/support/dying-connection.ts'
import { hurriedClock } from '../test/support/host-connection.ts'
import { mark, type RestoreHost, restoreHost } from '../test/support/restore-host.ts'
import { restorePoint } from '../test/support/restore-point.ts'
import { loginOf } from '../test/support/simulated-connection.ts'
import { undoOn } from '../test/support/undo-intents.ts'
import { type Connection, shareConnection } from './connection.ts'
import { parseHostOptions } from './host-options.ts'
import { readMark } from './mark.ts'
import { restoreMachine } from './restore/restore-machine.ts'
import { createSnapshot } from './snapshots/create-snapshot.ts'
import { removeSnapshotKind } from './snapshots/undo-snapshot.ts'
import { listLeftovers, undoIntent } from './undo.ts'
import type { SoapCall } from './vim25/soap-client.ts'

const never = { signal: new AbortController().signal }
const point = () => restorePoint({ disks: [new Uint8Array(65_536).fill(5)] })
const request = { purpose: 'recover', name: 'web', start: false, options: {} } as const
const foreign = { name: 'foreign', uuid: '22222222-0000-4000-8000-000000000000' }
const namesOf = ({ simulator }: RestoreHost) => simulator.machines().map(({ name }) => name)
const failLeases = ({ simulator }: RestoreHost) => {
  for (const lease of [...simulator.leases.open]) lease.fail({ fault: 'Timedout', message: 'Operation timed out.' })
}

/** A connection of another process. */
async function another({ simulator }: RestoreHost) {
  const clock = hurriedClock()
  const shared = shareConnection(parseHostOptions(loginOf(simulator)), clock)
  return { shared, connection: await shared.open(never) }
}

/** What does something in the first pause that is made. */
function pausing(meanwhile: () => Promise<void>): Clock {
  const clock = hurriedClock()
  let paused = false
  return {
    ...clock,
    async sleep(milliseconds, options) {
      if (!paused && milliseconds <= 60_000) {
        paused = true
        await meanwhile()
      }
      return clock.sleep(milliseconds, options)
    },
  }
}

/** An attempt that dies just before a call. */
async function diedAt(host: RestoreHost, method: 'HttpNfcLeaseComplete' | 'ReconfigVM_Task'): Promise<MemoryRun> {
  const dying = dyingConnection(host.connection, { from: method, at: 1, when: 'before' })
  const run = memoryRunContext({ provider: undoOn(host.connection), mark })
  await expect(restoreMachine(dying.connection, request, point(), run.run)).rejects.toThrow()
  await dying[Symbol.asyncDispose]()
  expect(namesOf(host)).toHaveLength(2)
  return run
}

/** A connection that does something else before its nth call from the first of `from` on; waits do not count. */
function interrupted(connection: Connection, from: string, at: number, meanwhile: () => Promise<void>) {
  let [count, begun, was] = [0, false, false]
  const call: SoapCall = async (method, self, parameters, options) => {
    begun ||= method === from
    if (begun && !/^(WaitForUpdatesEx|CancelWaitForUpdates|HttpNfcLeaseProgress|CurrentTime)$/.test(method) && ++count === at) {
      was = true
      await meanwhile()
    }
    return connection.session.call(method, self, parameters, options)
  }
  return { connection: { ...connection, session: { ...connection.session, call } }, was: () => was }
}

test('undo of a machine by two at once: both are done, and what is foreign stays', async () => {
  await using host = await restoreHost({ machines: [foreign] })
  const run = await diedAt(host, 'ReconfigVM_Task')
  const other = await another(host)
  const slow = interrupted(host.connection, 'Destroy_Task', 1, async () => {
    expect(await run.undoOpen({ by: undoOn(other.connection) })).toEqual(['undone'])
  })
  expect(await run.undoOpen({ by: undoOn(slow.connection) })).toEqual(['undone'])
  expect(host.count('Destroy_Task')).toBe(2)
  expect(namesOf(host)).toEqual(['foreign'])
  await other.shared[Symbol.asyncDispose]()
})

/** The lease of a dead attempt ends, the host takes its machine away, and somebody's new machine gets the reference. */
async function takesReference(host: RestoreHost): Promise<SimulatedMachine> {
  const [before] = host.simulator.machines().filter(({ name }) => name !== 'foreign')
  failLeases(host)
  await host.restore(point(), host.run({ system: 'theirs' }), { name: 'theirs', start: true })
  const theirs = machineNamed(host.simulator, 'theirs')
  expect(theirs.value).toBe(before?.value)
  return theirs
}

test('undo of a machine looks again before each try: the reference may be that of another machine by then', async () => {
  await using host = await restoreHost({ machines: [foreign], reusesReferences: true })
  const run = await diedAt(host, 'HttpNfcLeaseComplete')
  expect(host.simulator.leases.open.size).toBe(1)
  let theirs: SimulatedMachine | undefined
  const clock = pausing(async () => {
    theirs = await takesReference(host)
    theirs.powerState = 'poweredOff'
  })
  expect(await run.undoOpen({ by: undoOn({ ...host.connection, clock }) })).toEqual(['undone'])
  expect(theirs).toBeDefined()
  expect(namesOf(host)).toEqual(['foreign', 'theirs'])
})

/** As after the loss of the catalog: what the host alone tells. */
async function undoLeftovers(connection: Connection): Promise<void> {
  for await (const intent of listLeftovers(connection, 'esxi', never)) await undoIntent(connection, intent, never)
}

test('leftovers are looked for in two lists of the machines: their notes, and their snapshots', async () => {
  await using host = await restoreHost({ machines: [foreign] })
  await diedAt(host, 'HttpNfcLeaseComplete')
  const vm = { type: 'VirtualMachine', value: machineNamed(host.simulator, 'foreign').value } as const
  await createSnapshot(host.connection, vm, { name: 'ours', memory: false, quiesce: false, marked: { purpose: 'backup', mark } }, never)
  const before = host.simulator.calls.length
  const kinds: string[] = []
  for await (const { kind } of listLeftovers(host.connection, 'esxi', never)) kinds.push(kind)
  expect(kinds).toEqual(['remove-machine', 'remove-snapshot'])
  expect(host.simulator.calls.slice(before).filter((name) => name === 'CreateContainerView')).toHaveLength(2)
})

test.each(['NoDiskSpace', 'FileFault', 'NotSupported'])(
  'undo by leftovers removes a machine also when nothing can be written into its notes (%s)',
  async (fault) => {
    await using host = await restoreHost({ machines: [foreign] })
    await diedAt(host, 'ReconfigVM_Task')
    host.simulator.refuse('ReconfigVM_Task', { fault, message: 'It cannot be written.' })
    await undoLeftovers(host.connection)
    expect(namesOf(host)).toEqual(['foreign'])
  },
)

test('undo by leftovers waits for the lease of a dead attempt, some minutes at most, and removes the machine when it has ended', async () => {
  await using host = await restoreHost({ machines: [foreign] })
  await diedAt(host, 'HttpNfcLeaseComplete')
  expect(host.simulator.leases.open.size).toBe(1)
  const clock = hurriedClock()
  let waitedMs = 0
  const sleep: Clock['sleep'] = (milliseconds, options) => {
    if (milliseconds <= 60_000) waitedMs += milliseconds
    return clock.sleep(milliseconds, options)
  }
  await expect(undoLeftovers({ ...host.connection, clock: { ...clock, sleep } })).rejects.toMatchObject({ code: 'IN_USE' })
  expect(waitedMs).toBeGreaterThanOrEqual(120_000)
  expect(waitedMs).toBeLessThanOrEqual(300_000)
  failLeases(host)
  await undoLeftovers(host.connection)
  expect(namesOf(host)).toEqual(['foreign'])
})

test('undo of a snapshot looks again before each further try: the reference may be that of another snapshot by then', async () => {
  await using host = await restoreHost({ machines: [foreign] })
  const machine = machineNamed(host.simulator, 'foreign')
  const vm = { type: 'VirtualMachine', value: machine.value } as const
  await createSnapshot(host.connection, vm, { name: 'ours', memory: false, quiesce: false, marked: { purpose: 'backup', mark } }, never)
  host.simulator.refuse('RemoveSnapshot_Task', { fault: 'TaskInProgress', message: 'Another task is in progress.' })
  const clock = pausing(async () => {
    const [ours] = machine.snapshots
    if (ours !== undefined) machine.snapshots.splice(0, 1, { ...ours, name: 'of Ann', description: 'before the update' })
  })
  expect(await undoOn({ ...host.connection, clock }).undo(intentOf(foreign.uuid, 'ours'), never)).toBe('undone')
  expect(snapshotsOf(machine)).toEqual(['of Ann: before the update'])
})

const intentOf = (vm: string, name: string): Intent => ({
  id: 'one',
  provider: 'esxi',
  kind: removeSnapshotKind,
  data: { vm, name },
  mark,
  kept: false,
})

test('undo of a snapshot by two at once: both are done, and what is foreign stays', async () => {
  await using host = await restoreHost({ machines: [foreign] })
  const other = await another(host)
  const machine = machineNamed(host.simulator, 'foreign')
  const vm = { type: 'VirtualMachine', value: machine.value } as const
  const wanted = { memory: false, quiesce: false }
  await createSnapshot(
    host.connection,
    vm,
    { ...wanted, name: 'of Ann', marked: { purpose: 'snapshot', mark: { ...mark, run: 'other' } } },
    never,
  )
  await createSnapshot(host.connection, vm, { ...wanted, name: 'ours', marked: { purpose: 'backup', mark } }, never)
  const intent = intentOf(foreign.uuid, 'ours')
  const slow = interrupted(host.connection, 'RemoveSnapshot_Task', 1, async () => {
    expect(await undoOn(other.connection).undo(intent, never)).toBe('undone')
  })
  expect(await undoOn(slow.connection).undo(intent, never)).toBe('undone')
  expect(host.count('RemoveSnapshot_Task')).toBe(2)
  expect(snapshotsOf(machine).map((text) => text.split(':')[0])).toEqual(['of Ann'])
  await other.shared[Symbol.asyncDispose]()
})

test('undo beside the attempt, before any of its calls: in the end it has delivered, or nothing of it is there', async () => {
  const outcomes: string[] = []
  for (let at = 1; ; at += 1) {
    await using host = await restoreHost({ machines: [foreign] })
    const other = await another(host)
    const run = memoryRunContext({ provider: undoOn(host.connection), mark })
    const beside = interrupted(host.connection, 'ImportVApp', at, async () => {
      await run.undoOpen({ by: undoOn(other.connection) }).catch(() => undefined)
    })
    const outcome = await restoreMachine(beside.connection, request, point(), run.run).then(
      () => 'delivered',
      () => 'failed',
    )
    if (!beside.was()) break
    failLeases(host)
    const left = await run.undoOpen({ by: undoOn(other.connection) })
    const made = host.simulator.machines().filter(({ name }) => name !== 'foreign')
    const delivered = made.map(({ name, conduct }) => `${name} ${readMark(conduct.annotation)?.purpose}`)
    expect(delivered, `call ${at}: ${outcome}, ${JSON.stringify(left)}`).toEqual(outcome === 'delivered' ? ['web machine'] : [])
    expect(machineNamed(host.simulator, 'foreign').conduct.annotation).toBe('')
    outcomes.push(outcome)
    await other.shared[Symbol.asyncDispose]()
  }
  expect(outcomes.length).toBeGreaterThanOrEqual(6)
  expect(new Set(outcomes)).toEqual(new Set(['delivered', 'failed']))
})
