import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { encodeName } from '../inventory/object-name.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { type Marked, markLine } from '../mark.ts'
import { isFault } from '../vim25/faults.ts'
import { referenceIn } from '../vim25/tasks.ts'
import type { MoRef } from '../vim25/values.ts'
import { isHelperSnapshot } from './helper-snapshots.ts'
import { type FoundSnapshot, readSnapshots } from './snapshot-tree.ts'

/** A snapshot that is to be made. */
export interface NewSnapshot {
  /** Any text; people see it. */
  readonly name: string
  /** With the memory of the guest, so that a return to it goes on running. Not together with `quiesce`. */
  readonly memory: boolean
  /** Ask the guest to flush first. Where nobody can be asked the snapshot is made all the same; its `quiesced` says what was done. */
  readonly quiesce: boolean
  readonly marked: Marked
}

/** Whether a snapshot failed because the guest did not flush: without `quiesce` it may be made. */
export const isQuiesceFault = (error: unknown): boolean =>
  ['ApplicationQuiesceFault', 'FilesystemQuiesceFault', 'ToolsUnavailable'].some((fault) => isFault(error, fault))

function refuseHelper(machine: string, snapshots: readonly FoundSnapshot[]): void {
  const helper = snapshots.find(({ name }) => isHelperSnapshot(name))
  if (helper === undefined) return
  throw new HoldfastError('IN_USE', `${machine} has the snapshot "${helper.name}" of another program that works on its disks.`, {
    remedy: 'Wait until that program has ended. If none runs, remove the snapshot in the host client.',
    details: { machine, snapshot: helper.name },
  })
}

/**
 * Makes a snapshot that carries a mark. Await an intent first: when this rejects or is aborted, the snapshot may still come to be.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.VirtualMachine.html, CreateSnapshot_Task: a host drops `quiesce` in silence
 * when the machine is off or has no tools.
 * @throws INVALID_OPTIONS: memory and quiesce together. IN_USE: another task of the machine, also after two minutes, or a snapshot of another backup program.
 * UNSUPPORTED: the free licence, or too many levels. PROVIDER_FAILED: the guest did not flush, see `isQuiesceFault`.
 */
export async function createSnapshot(
  connection: Connection,
  vm: MoRef<'VirtualMachine'>,
  { name, memory, quiesce, marked }: NewSnapshot,
  options: CallOptions,
): Promise<FoundSnapshot> {
  if (memory && quiesce)
    throw new HoldfastError(
      'INVALID_OPTIONS',
      'A snapshot holds the memory or is quiesced, not both: with the memory a host asks no guest to flush.',
      {
        remedy: 'Set memory or quiesce to false.',
      },
    )
  const before = await readSnapshots(connection, vm, options)
  refuseHelper(before.machine, before.snapshots)
  const parameters = { name: encodeName(name), description: markLine(marked), memory, quiesce }
  const make = () => runTask(connection, 'CreateSnapshot_Task', vm, parameters, { ...options, name: before.machine })
  const ref = referenceIn(await againWhile(connection, busy, make, options), 'VirtualMachineSnapshot')
  const { machine, snapshots } = await readSnapshots(connection, vm, options)
  const found = snapshots.find((one) => one.ref.value === ref.value)
  if (found !== undefined) return { ...found, quiesced: found.quiesced && quiesce && before.toolsRunning }
  throw new HoldfastError('NOT_FOUND', `The snapshot "${name}" of ${machine} was removed as soon as it was made.`, {
    remedy: 'Look at the events of the machine: something removes its snapshots.',
  })
}
