import type { RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { decodeName } from '../inventory/object-name.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import { isReason, orReason, type Reason } from './reasons.ts'

const oldestHardware = 7

/** Why a machine as it is now has no snapshot of ours alone above the flat files of all its disks. */
function whyNotAlone({ snapshots, disks, consolidationNeeded }: FoundMachine): Reason | undefined {
  const other = snapshots?.rootSnapshotList[0]
  if (other !== undefined) return `the machine has the snapshot "${decodeName(other.name)}"`
  const independent = disks.find(({ mode }) => mode.startsWith('independent'))
  if (independent !== undefined) return `${independent.name} is independent (${independent.mode}), so that no snapshot holds it`
  return consolidationNeeded ? 'the disks of the machine need to be consolidated' : undefined
}

async function whyNotTrackable({ session }: Connection, { ref }: FoundMachine, run: RunContext): Promise<Reason | undefined> {
  const { values } = await retrieveOne(session, ref, ['config.version', 'capability.changeTrackingSupported'], run)
  const version = /^vmx-(\d+)$/.exec(String(values['config.version']))?.[1]
  if (version !== undefined && Number(version) < oldestHardware)
    return `the hardware of the machine is of version ${Number(version)}, and changes are tracked from version ${oldestHardware} on`
  return values['capability.changeTrackingSupported'] === false ? 'the host says that changes of the machine cannot be tracked' : undefined
}

/**
 * Has the changes of a machine tracked, from its next snapshot on. It stays so: there is nothing to undo, and doing it again changes nothing.
 * @returns Why not, if not. Nothing was changed then.
 *
 * Source: Virtual Disk Development Kit Programming Guide, "Changed Block Tracking on Virtual Disks": hardware 7, no snapshots, and a stun of the machine, which a snapshot is.
 */
export async function switchOnTracking(connection: Connection, machine: FoundMachine, run: RunContext): Promise<Reason | undefined> {
  const { ref, name } = machine
  const why = whyNotAlone(machine)
  if (why !== undefined || machine.changeTracking) return why
  const untrackable = await whyNotTrackable(connection, machine, run)
  if (untrackable !== undefined) return untrackable
  const spec = { changeTrackingEnabled: true }
  const { signal } = run
  const done = await orReason(
    () => againWhile(connection, busy, () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { signal, name }), { signal }),
    run,
  )
  if (isReason(done)) return done.why
  run.note('info', 'CHANGE_TRACKING_ON', `${name} was set to have the changes of its disks tracked, from the snapshot of this backup on.`)
  return undefined
}
