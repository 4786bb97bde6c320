import type { createCollector } from '../simulated-collector.ts'
import type { SimulatedFiles } from '../simulated-files.ts'
import type { HostFactOptions } from '../simulated-host-facts.ts'
import type { SimulatedLeases } from '../simulated-leases.ts'
import type { SimulatedMachine } from '../simulated-machine.ts'
import type { SimulatedPlaces } from '../simulated-places.ts'
import type { SessionSettings } from '../simulated-sessions.ts'
import { startTask, type TaskWork } from '../simulated-tasks.ts'
import type { SimulatedWorld } from '../simulated-world.ts'
import { type PrefixStyle, reference, type SimulatedFault } from '../soap-answer.ts'
import { parameter, type SoapRequest } from '../soap-request.ts'

type Collector = ReturnType<typeof createCollector>

/** What belongs to a session, and goes with it. */
export interface SimulatedSession {
  readonly ended: AbortController
  /** When the last call of it was answered, on the monotonic clock of the host. */
  heardAt: number
  /** Calls that are not answered yet. */
  underWay: number
  readonly collectors: Map<string, Collector>
  /** Which collector each filter is of. */
  readonly filters: Map<string, Collector>
  /** Types of objects that each view shows. */
  readonly views: Map<string, readonly string[]>
  /** What is left to tell of long lists, by token. */
  readonly pages: Map<string, readonly string[]>
}

/** A simulated host behind its calls. */
export interface Host {
  readonly world: SimulatedWorld
  readonly machines: SimulatedMachine[]
  readonly places: SimulatedPlaces
  readonly leases: SimulatedLeases
  readonly files: SimulatedFiles
  readonly facts: HostFactOptions
  readonly style: PrefixStyle
  readonly apiType: 'HostAgent' | 'VirtualCenter'
  readonly user: string
  readonly password: string
  readonly sessions: Map<string, SimulatedSession>
  readonly sessionSettings: SessionSettings
  readonly refusals: { readonly method: string; readonly fault: SimulatedFault }[]
}

export interface Refusal {
  readonly refused: SimulatedFault
}

/** A call with the session it claims to belong to. */
export interface Call extends SoapRequest {
  readonly session: string | undefined
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal
}

export interface Given {
  readonly content: string
  /** A session that was opened. */
  readonly session?: string
}

/** Answers a call of somebody who has logged in. */
export type Handler = (host: Host, call: Call, session: SimulatedSession) => Given | Refusal | Promise<Given | Refusal>

export const refused = (fault: string, message: string, fields = ''): Refusal => ({ refused: { fault, message, fields } })
export const returned = (content: string): Given => ({ content })
export const nothing = returned('')
export const textOf = (call: Call, name: string): string => parameter(call, name)?.text ?? ''
export const gone = (call: Call): Refusal =>
  refused(
    'ManagedObjectNotFound',
    `The object '${call.self.type}:${call.self.value}' has already been deleted or has not been completely created`,
    reference('obj', call.self.type, call.self.value),
  )

export const machineOf = ({ machines }: Host, call: Call): SimulatedMachine | undefined =>
  machines.find(({ value }) => value === call.self.value)

export function task(host: Host, entity: SimulatedMachine, work: TaskWork): Given {
  return returned(reference('returnval', 'Task', startTask(host.world, host.style, entity, work).value))
}
