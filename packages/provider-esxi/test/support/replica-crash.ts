import type { Intent, RestoreRequest, RestoreResult } from '@holdfast/core/spec'
import { type MemoryRun, memoryRunContext } from '@holdfast/testkit'
import type { Connection } from '../../src/connection.ts'
import { restoreMachine } from '../../src/restore/restore-machine.ts'
import { listLeftovers } from '../../src/undo.ts'
import type { SoapCall } from '../../src/vim25/soap-client.ts'
import { type Death, dyingConnection } from './dying-connection.ts'
import { hurriedClock } from './host-connection.ts'
import { pointOf, type ReplicaHost, replicaName } from './replica-host.ts'
import { mark } from './restore-host.ts'
import { undoOn } from './undo-intents.ts'

const call = { signal: new AbortController().signal }

/** An attempt that died, and the run that it was of. */
export interface DeadAttempt {
  readonly run: MemoryRun
  /** False: it came to its end before it was to die. */
  readonly died: boolean
}

/** Brings a replica to a point. */
export function refresh(
  { connection }: Pick<ReplicaHost, 'connection'>,
  target: string,
  point: string,
  { run }: MemoryRun,
): Promise<RestoreResult> {
  const request: RestoreRequest = { purpose: 'replica', name: replicaName, target, start: false, options: {} }
  return restoreMachine(connection, request, pointOf(point), run)
}

/** Brings a replica to a point, in a process that dies at one of its calls. */
export async function refreshAndDie(host: ReplicaHost, target: string, point: string, death: Death): Promise<DeadAttempt> {
  const dying = dyingConnection(host.connection, death)
  const run = memoryRunContext({ provider: undoOn(host.connection), mark })
  await refresh(dying, target, point, run).catch((error: unknown) => {
    if (!dying.isDead()) throw error
  })
  await dying[Symbol.asyncDispose]()
  return { run, died: dying.isDead() }
}

/** A connection of a process that stands still before one of its calls, for as long as others work. */
export function interruptedAt(
  { connection }: ReplicaHost,
  { method, number }: { readonly method: string; readonly number: number },
  meanwhile: () => Promise<unknown>,
): Connection {
  const { session } = connection
  let count = 0
  const call: SoapCall = async (name, self, parameters, options) => {
    if (name === method) count += 1
    if (name === method && count === number) await meanwhile()
    return session.call(name, self, parameters, options)
  }
  return { ...connection, session: { ...session, call } }
}

/** Another process, for which pauses pass at once. */
const another = (host: ReplicaHost) => undoOn({ ...host.connection, clock: hurriedClock() })

function endLeases({ simulator }: ReplicaHost): void {
  for (const lease of [...simulator.leases.open]) lease.fail({ fault: 'Timedout', message: 'Operation timed out.' })
}

const resultOf = (answers: readonly ('undone' | { readonly delivered: RestoreResult })[]): RestoreResult | undefined =>
  answers.flatMap((answer) => (answer === 'undone' ? [] : [answer.delivered]))[0]

/** Settles what a dead attempt has left, by the intents that it stored: while its lease is still held, and when that has ended. Gives what it had delivered. */
export async function settleByIntents(host: ReplicaHost, { run }: DeadAttempt): Promise<RestoreResult | undefined> {
  const early = await run.undoOpen({ by: another(host) }).catch(() => [])
  endLeases(host)
  return resultOf([...early, ...(await run.undoOpen({ by: another(host) }))])
}

/** The same where no catalog is left: by what the host itself says. */
export async function settleByLeftovers(host: ReplicaHost): Promise<RestoreResult | undefined> {
  endLeases(host)
  const found: Intent[] = []
  for await (const intent of listLeftovers(host.connection, 'esxi', call)) found.push(intent)
  const answers: ('undone' | { readonly delivered: RestoreResult })[] = []
  for (const intent of found) answers.push(await another(host).undo(intent, call))
  return resultOf(answers)
}
