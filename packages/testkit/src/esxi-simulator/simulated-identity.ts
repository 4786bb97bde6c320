import type { Host } from './calls/call.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { field, type SimulatedFault } from './soap-answer.ts'

/** What hosts make by chance, made by counting. */
export const newUuid = ({ world }: Host): string => `564dffff-0000-4000-8000-${world.next('').slice(1).padStart(12, '0')}`

/**
 * What comes of an instance UUID that is asked for while another machine has it. A vCenter server gives another one, as it is documented for `instanceUuid` of
 * `VirtualMachineConfigSpec`. What a host that stands alone does is documented nowhere: here it refuses, so that nobody relies on it.
 */
export function instanceUuidFor(host: Host, machine: SimulatedMachine | undefined, asked: string): string | SimulatedFault {
  const other = host.machines.find((one) => one !== machine && one.settings.instanceUuid === asked)
  if (other === undefined) return asked
  if (host.apiType === 'VirtualCenter') return newUuid(host)
  return {
    fault: 'InvalidArgument',
    message: 'A specified parameter was not correct: spec.instanceUuid',
    fields: field('invalidProperty', 'spec.instanceUuid'),
  }
}
