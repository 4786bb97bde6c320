import { type CallOptions, HoldfastError, type Snapshot, type SnapshotAbility } from '@holdfast/core/spec'
import type { Connection, SharedConnection } from '../connection.ts'
import { findReference } from '../inventory/find-machine.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { consolidateDisks } from './consolidate-disks.ts'
import { createSnapshot } from './create-snapshot.ts'
import { filesLeft, removeOne } from './remove-snapshot.ts'
import { type FoundSnapshot, readSnapshots } from './snapshot-tree.ts'
import { removeSnapshotKind } from './undo-snapshot.ts'

/** The mark of one that a backup has made for itself is not told: whoever keeps order among snapshots must leave it. */
const snapshotOf = ({ ref, name, createdAt, memory, quiesced, marked }: FoundSnapshot): Snapshot => ({
  id: ref.value,
  name,
  createdAt: new Date(createdAt).toISOString(),
  memory,
  quiesced,
  ...(marked?.purpose === 'snapshot' && { mark: marked.mark }),
})

async function look(connection: Connection, workload: string, options: CallOptions) {
  const vm = await findReference(connection, workload, options)
  return { vm, ...(await readSnapshots(connection, vm, options)) }
}

async function revert(connection: Connection, workload: string, snapshot: string, options: CallOptions): Promise<void> {
  const { machine, snapshots } = await look(connection, workload, options)
  const found = snapshots.find(({ ref }) => ref.value === snapshot)
  if (found === undefined)
    throw new HoldfastError('NOT_FOUND', `${machine} has no snapshot ${snapshot}.`, {
      remedy: 'List its snapshots: it has gone, or has another id since the machine was registered anew.',
    })
  const back = () => runTask(connection, 'RevertToSnapshot_Task', found.ref, {}, { ...options, name: machine, goesOn: true })
  await againWhile(connection, busy, back, options)
}

async function remove(connection: Connection, workload: string, snapshot: string, options: CallOptions): Promise<void> {
  const { vm, machine, snapshots } = await look(connection, workload, options)
  const found = snapshots.find(({ ref }) => ref.value === snapshot)
  if (found === undefined) return
  if (found.marked?.purpose !== 'snapshot')
    throw new HoldfastError(
      'UNSUPPORTED',
      `The snapshot "${found.name}" of ${machine} carries no mark of a kept snapshot, so it is not removed.`,
      {
        remedy: 'Whoever made it removes it, in the host client.',
        details: { machine, snapshot },
      },
    )
  await removeOne(connection, vm, found, { ...options, machine })
  const { stillNeeded } = await consolidateDisks(connection, vm, machine, options)
  if (stillNeeded !== undefined) throw filesLeft('IN_USE', machine, stillNeeded)
}

/**
 * Snapshots that people keep. `create` writes an intent of the kind `remove-snapshot` and keeps it. `remove` rejects with UNSUPPORTED what has no mark of a kept
 * snapshot, and with IN_USE when the snapshot is gone but its disks must still be consolidated. Ids are references of the host: they change when a machine is registered
 * anew, and are to be listed before they are used.
 */
export function createSnapshotAbility(host: SharedConnection): SnapshotAbility {
  return {
    async create(workload, { name, memory, quiesce }, run) {
      const connection = await host.open(run)
      const vm = await findReference(connection, workload, run)
      const intent = await run.intend(removeSnapshotKind, { vm: workload, name })
      const marked = { purpose: 'snapshot', mark: run.mark } as const
      const made = await createSnapshot(connection, vm, { name, memory, quiesce, marked }, run)
      await intent.update({ vm: workload, name, snapshot: made.ref.value })
      intent.keep()
      return snapshotOf(made)
    },
    async list(workload, options) {
      const { snapshots } = await look(await host.open(options), workload, options)
      return snapshots.map(snapshotOf)
    },
    revert: async (workload, snapshot, options) => revert(await host.open(options), workload, snapshot, options),
    remove: async (workload, snapshot, options) => remove(await host.open(options), workload, snapshot, options),
  }
}
