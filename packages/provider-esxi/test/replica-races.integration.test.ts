import type { SimulatedMachine } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { readMark, withMark } from '../src/mark.ts'
import { startMachine } from '../src/power/start-machine.ts'
import { listLeftovers, undoIntent } from '../src/undo.ts'
import type { SoapCall } from '../src/vim25/soap-client.ts'
import { hurriedClock } from './support/host-connection.ts'
import { type DeadAttempt, interruptedAt, refresh, refreshAndDie, settleByIntents, settleByLeftovers } from './support/replica-crash.ts'
import { diskOf, original, type ReplicaHost, replicaHost } from './support/replica-host.ts'
import { disksOf } from './support/restore-host.ts'
import { undoOn } from './support/undo-intents.ts'

const call = { signal: new AbortController().signal }
const laterRun = { run: 'fedcba9876543210' }

let open: ReplicaHost | undefined
afterEach(async () => {
  await open?.[Symbol.asyncDispose]()
  open = undefined
})

async function replicated(): Promise<{ readonly host: ReplicaHost; readonly id: string }> {
  const host = await replicaHost({ machines: [original] })
  open = host
  return { host, id: await host.replicate('a') }
}

interface Waiting {
  readonly host: ReplicaHost
  readonly id: string
  readonly dead: DeadAttempt
  /** The new machine, which is whole. */
  readonly waiting: SimulatedMachine
}

const swapping = (host: ReplicaHost): SimulatedMachine => {
  const found = host.simulator.machines().find(({ conduct }) => readMark(conduct.annotation)?.purpose === 'replica-swap')
  if (found === undefined) throw new Error('no machine is about to take a place')
  return found
}

/** Dies when the new one is whole, and the old one is still there. */
async function halfWay(prepare: (host: ReplicaHost) => Promise<unknown> = async () => undefined): Promise<Waiting> {
  const { host, id } = await replicated()
  await prepare(host)
  const dead = await refreshAndDie(host, id, 'b', { from: 'Destroy_Task', at: 1, when: 'before' })
  return { host, id, dead, waiting: swapping(host) }
}

const swapOf = ({ run }: DeadAttempt) => {
  const found = run.intended.find(({ kind }) => kind === 'swap-replica')
  if (found === undefined) throw new Error('there is no intent')
  return found as Parameters<typeof undoIntent>[1]
}

const start = ({ connection }: ReplicaHost, { value }: SimulatedMachine, network: 'connected' | 'disconnected') =>
  startMachine(connection, { type: 'VirtualMachine', value }, { ...call, network })

/** The first byte of the disk of the machine with an id: of the point that it holds. */
async function byteOf({ simulator }: ReplicaHost, id: string): Promise<number | undefined> {
  const [found, second] = simulator.machines().filter(({ settings }) => settings.instanceUuid === id)
  if (found === undefined || second !== undefined) throw new Error('not exactly one machine has the id')
  return (await disksOf(found))[0]?.[0]
}

const code = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: { readonly code: string }) => error.code,
  )

/** A connection on which something happens before each call. */
function watched(host: ReplicaHost, before: (count: number) => Promise<void>): ReplicaHost['connection'] {
  const { session } = host.connection
  let count = 0
  const counted: SoapCall = async (method, self, parameters, options) => {
    count += 1
    await before(count)
    return session.call(method, self, parameters, options)
  }
  return { ...host.connection, session: { ...session, call: counted } }
}

test('two undos at once leave one of the two, whenever the old one is switched off between their calls', async () => {
  for (let at = 1; ; at += 1) {
    const { host, dead } = await halfWay()
    host.machine().powerState = 'poweredOn'
    let came = false
    const first = watched(host, async (count) => {
      if (count !== at) return
      came = true
      host.machine().powerState = 'poweredOff'
      // The second has removed the old one, and stands still then.
      const second = interruptedAt(host, { method: 'ReconfigVM_Task', number: 1 }, () => Promise.reject(new Error('stands still')))
      await undoIntent(second, swapOf(dead), call).catch(() => undefined)
    })
    await undoIntent(first, swapOf(dead), call).catch(() => undefined)
    expect(host.replicas().join()).toMatch(/ (replica|replica-swap) b$|replica a$/)
    await host[Symbol.asyncDispose]()
    if (!came) break
  }
})

test('an attempt that wakes up before it removes the old one, after an undo that kept both, leaves one of the two', async () => {
  const { host, id } = await replicated()
  const run = host.run()
  const late = interruptedAt(host, { method: 'Destroy_Task', number: 1 }, async () => {
    host.machine().powerState = 'poweredOn'
    expect(await code(settleByIntents(host, { run, died: true }))).toBe('UNDO_FAILED')
    host.machine().powerState = 'poweredOff'
  })
  await refresh({ ...host, connection: late }, id, 'b', run)
  expect(host.replicas()).toEqual(['web_replica replica b'])
})

async function undoLeftovers(connection: ReplicaHost['connection']): Promise<void> {
  for await (const intent of listLeftovers(connection, 'esxi', call)) await undoIntent(connection, intent, call)
}

test.each(['intents', 'leftovers'] as const)(
  'an attempt that wakes up while an undo by %s is about to remove its machine does not remove the old one',
  async (by) => {
    const { host, id } = await replicated()
    const run = host.run()
    const [ended, removing] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const undo = interruptedAt(host, { method: 'Destroy_Task', number: 1 }, async () => {
      removing.resolve()
      await ended.promise
    })
    let undone: Promise<unknown> = Promise.resolve()
    const late = interruptedAt(host, { method: 'ReconfigVM_Task', number: 1 }, () => {
      const undoing = by === 'intents' ? run.undoOpen({ by: undoOn(undo) }) : undoLeftovers(undo)
      undone = undoing.finally(() => removing.resolve())
      return removing.promise
    })
    expect(await code(refresh({ ...host, connection: { ...late, clock: hurriedClock() } }, id, 'b', run))).toBe('PROVIDER_FAILED')
    ended.resolve()
    await undone
    expect(host.replicas()).toEqual(['web_replica replica a'])
  },
)

test('the old one stays where the new one has gone by hand', async () => {
  const { host, dead, waiting } = await halfWay()
  const undo = watched(host, async () => {
    const machines = host.simulator.machines() as SimulatedMachine[]
    if (machines.includes(waiting)) Object.assign(waiting.conduct, { annotation: 'mine' })
  })
  await code(undoIntent(undo, swapOf(dead), call))
  expect(host.replicas()).toContain('web_replica replica a')
})

test.each([2, 3])(
  'an attempt that wakes up before its change number %i does not make what has taken over a replica again',
  async (number) => {
    const { host, id } = await replicated()
    const run = host.run()
    const late = interruptedAt(host, { method: 'ReconfigVM_Task', number }, async () => {
      await settleByIntents(host, { run, died: true })
      await start(host, host.machine(), 'connected')
    })
    await refresh({ ...host, connection: { ...late, clock: hurriedClock() } }, id, 'b', run).catch(() => undefined)
    expect(host.replicas()).toEqual(['web_replica machine'])
    host.machine().powerState = 'poweredOff'
    expect(await code(host.replicate('c', { target: id }, host.run(laterRun)))).toBe('UNSUPPORTED')
    expect(host.replicas()).toEqual(['web_replica machine'])
  },
)

test('an undo beside another one does not record the point again that a trial has un-recorded', async () => {
  const { host, id } = await replicated()
  const dead = await refreshAndDie(host, id, 'b', { from: 'ReconfigVM_Task', at: 2, when: 'before' })
  const slow = interruptedAt(host, { method: 'ReconfigVM_Task', number: 2 }, async () => {
    await settleByIntents(host, dead)
    await start(host, host.machine(), 'disconnected')
  })
  await undoIntent({ ...slow, clock: hurriedClock() }, swapOf(dead), call).catch(() => undefined)
  expect(host.replicas()).toEqual(['web_replica replica'])
})

test('while a machine that may be about to take the place cannot be read, nothing else does', async () => {
  const { host, id, dead, waiting } = await halfWay()
  const own = waiting.properties
  waiting.properties = (values) => ({
    name: values.text(waiting.name),
    'runtime.connectionState': values.enumeration('VirtualMachineConnectionState', 'inaccessible'),
  })
  expect(await code(settleByIntents(host, dead))).toBe('UNDO_FAILED')
  expect(await code(host.replicate('c', { target: id }, host.run(laterRun)))).toBe('IN_USE')
  waiting.properties = own
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
  expect(await byteOf(host, id)).toBe(diskOf('b')[0])
})

/** Its host shows the new machine again when a later run has made a newer replica. */
async function overtaken(): Promise<Waiting> {
  const half = await halfWay()
  const { host, id, dead, waiting } = half
  const own = waiting.properties
  waiting.properties = (values) => ({
    name: values.text('something'),
    'config.annotation': values.text(''),
    'runtime.connectionState': values.enumeration('VirtualMachineConnectionState', 'orphaned'),
  })
  await settleByIntents(host, dead).catch(() => undefined)
  await host.replicate('c', { target: id }, host.run(laterRun))
  waiting.properties = own
  return half
}

test('a machine that comes back when a later run has replaced the replica does not take its place', async () => {
  const { host, id } = await overtaken()
  await settleByLeftovers(host)
  expect(host.replicas()).toEqual(['web_replica replica c'])
  expect(await byteOf(host, id)).toBe(diskOf('c')[0])
})

test.each([
  ['is on', (host: ReplicaHost) => Object.assign(host.machine(), { powerState: 'poweredOn' })],
  [
    'has taken over',
    (host: ReplicaHost) =>
      Object.assign(host.machine().conduct, {
        annotation: host
          .machine()
          .conduct.annotation.replace(/"replica","/, '"machine","')
          .replace(/,"point":"c"/, ''),
      }),
  ],
])('it is not removed either where the later one %s', async (_what, change) => {
  const { host, waiting } = await overtaken()
  change(host)
  expect(await code(settleByLeftovers(host))).toBe('UNDO_FAILED')
  expect([host.simulator.machines().includes(waiting), host.replicas()]).toEqual([
    true,
    expect.arrayContaining([expect.stringMatching(/^web_replica /)]),
  ])
})

test.each([
  ['cannot be replaced any more', (host: ReplicaHost) => Object.assign(host.machine().conduct, { annotation: 'mine' })],
  ['can be replaced', () => undefined],
])('a new machine that somebody has let take over runs on, where the old one %s', async (_what, change) => {
  const { host, id, dead, waiting } = await halfWay()
  await start(host, waiting, 'connected')
  change(host)
  expect(await settleByIntents(host, dead)).toEqual({ workload: waiting.settings.instanceUuid })
  waiting.powerState = 'poweredOff'
  await code(host.replicate('c', { target: id }, host.run(laterRun)))
  expect([host.simulator.machines().includes(waiting), readMark(waiting.conduct.annotation)?.purpose]).toEqual([true, 'machine'])
})

test('a new machine that is started in the client of the host is neither switched off nor marked; one that waits is not started for a trial', async () => {
  const { host, id, dead, waiting } = await halfWay()
  expect(await code(start(host, waiting, 'disconnected'))).toBe('IN_USE')
  waiting.powerState = 'poweredOn'
  expect(await code(settleByIntents(host, dead))).toBe('UNDO_FAILED')
  expect([waiting.powerState, host.replicas()]).toEqual(['poweredOn', ['web_replica replica a', expect.stringMatching(/ replica-swap b$/)]])
  waiting.powerState = 'poweredOff'
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
})

test('where somebody has registered a copy of the old one with the same id, all stay', async () => {
  const { host, id, dead, waiting } = await halfWay((made) => made.replicate('a', { name: 'copy' }))
  const copy = host.machine('copy')
  copy.settings.instanceUuid = id
  copy.conduct.annotation = host.machine().conduct.annotation
  const machines = host.simulator.machines() as unknown as SimulatedMachine[]
  machines.splice(machines.indexOf(copy), 1)
  machines.splice(1, 0, copy) // the host lists it first
  expect(await code(settleByIntents(host, dead))).toBe('UNDO_FAILED')
  expect([machines.includes(copy), machines.includes(waiting), machines.includes(host.machine())]).toEqual([true, true, true])
  copy.settings.instanceUuid = '50000000-0000-4000-8000-00000000c0de'
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
  expect([machines.includes(copy), host.replicas().includes('web_replica replica b')]).toEqual([true, true])
})

test('a copy that somebody has made of the new one is passed over, now and later', async () => {
  const { host, id, dead, waiting } = await halfWay((made) => made.replicate('a', { name: 'copy' }))
  const copy = host.machine('copy')
  copy.conduct.annotation = waiting.conduct.annotation
  expect(await settleByIntents(host, dead)).toEqual({ workload: id })
  for (const point of ['c', 'd']) {
    expect(await host.replicate(point, { target: id }, host.run({ run: `fedcba987654321${point}` }))).toBe(id)
    for await (const left of listLeftovers(host.connection, 'esxi', call)) throw new Error(left.id)
  }
  expect(host.replicas()).toEqual(expect.arrayContaining(['copy replica-swap b', 'web_replica replica d']))
})

test('a line of another purpose that came in between is not written over', async () => {
  const { host, id } = await replicated()
  const run = host.run()
  const late = interruptedAt(host, { method: 'ReconfigVM_Task', number: 3 }, async () => {
    const { conduct } = host.machine()
    const marked = readMark(conduct.annotation)
    if (marked === undefined) throw new Error('no mark')
    conduct.annotation = withMark(conduct.annotation, { purpose: 'machine', mark: marked.mark })
    conduct.changes += 1
  })
  expect(await code(refresh({ ...host, connection: { ...late, clock: hurriedClock() } }, id, 'b', run))).toBe('PROVIDER_FAILED')
  expect(host.replicas()).toEqual(['web_replica machine'])
})
