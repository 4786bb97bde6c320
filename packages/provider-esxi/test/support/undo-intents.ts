import type { Intent, Provider } from '@holdfast/core/spec'
import type { Connection } from '../../src/connection.ts'
import { type RemoveMachine, removeMachineKind, undoRestore } from '../../src/restore/undo-restore.ts'
import { undoSnapshot } from '../../src/snapshots/undo-snapshot.ts'

const unused = (): never => {
  throw new Error('this test undoes only')
}

/** As much of a provider as clean-up needs, on a connection that is open. */
export function undoOn(connection: Connection): Provider {
  return {
    specVersion: 1,
    kind: 'esxi',
    check: unused,
    workloads: unused,
    backup: unused,
    restore: unused,
    undo: (intent: Intent, options) =>
      intent.kind === removeMachineKind
        ? undoRestore(connection, intent.mark, intent.data as unknown as RemoveMachine, options)
        : undoSnapshot(connection, intent, options),
    async [Symbol.asyncDispose]() {},
  }
}
