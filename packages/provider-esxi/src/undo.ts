import { type CallOptions, HoldfastError, type Intent, type RestoreResult } from '@holdfast/core/spec'
import type { Connection } from './connection.ts'
import { swapReplicaKind } from './replica/swap-replica.ts'
import { readSwapReplica, replicaLeftovers, undoSwap } from './replica/undo-swap.ts'
import { type AnnotatedMachine, annotatedMachines } from './restore/marked-machines.ts'
import { removeMachineKind, restoreLeftovers, undoRestore } from './restore/undo-restore.ts'
import { removeSnapshotKind, snapshotLeftovers, undoSnapshot } from './snapshots/undo-snapshot.ts'

type Undone = 'undone' | { readonly delivered: RestoreResult }
type Undo = (connection: Connection, intent: Intent, options: CallOptions) => Promise<Undone>

/** How each kind of intent is undone. A kind stays here for as long as a store may hold one. */
const undoers: { readonly [kind: string]: Undo } = {
  [removeMachineKind]: undoMachine,
  [removeSnapshotKind]: undoSnapshot,
  [swapReplicaKind]: (connection, intent, options) => undoSwap(connection, intent.mark, readSwapReplica(intent), options),
}

function undoMachine(connection: Connection, { id, kind, data, mark }: Intent, options: CallOptions): Promise<Undone> {
  const { machine, abandon } = (typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {}) as {
    readonly [name: string]: unknown
  }
  if (typeof machine !== 'string') throw new HoldfastError('INTERNAL', `Intent ${id} (${kind}) names no machine.`)
  return undoRestore(connection, mark, { machine, abandon: abandon === true }, options)
}

/**
 * Idempotent; what is gone already is success; touches only what carries the mark of exactly this attempt.
 * @throws UNSUPPORTED: a kind that this version does not know. UNDO_FAILED, UNREACHABLE, ACCESS_DENIED and the like: the intent stays open.
 */
export async function undoIntent(connection: Connection, intent: Intent, options: CallOptions): Promise<Undone> {
  const undo = Object.hasOwn(undoers, intent.kind) ? undoers[intent.kind] : undefined
  if (undo !== undefined) return undo(connection, intent, options)
  throw new HoldfastError('UNSUPPORTED', `This version of the ESXi provider does not know the intent ${JSON.stringify(intent.kind)}.`, {
    remedy: 'Update @holdfast/provider-esxi: a newer version wrote it.',
  })
}

/** Everything on the host that is unfinished by its mark, of any system: replicas that were being put in place, machines that were being restored, and snapshots of backups. Reads only. */
export async function* listLeftovers(connection: Connection, provider: string, options: CallOptions): AsyncGenerator<Intent> {
  const marked: AnnotatedMachine[] = []
  for await (const one of annotatedMachines(connection.session, options)) if (one.marked !== undefined) marked.push(one)
  yield* replicaLeftovers(marked, provider)
  yield* restoreLeftovers(marked, provider)
  yield* snapshotLeftovers(connection.session, provider, options)
}
