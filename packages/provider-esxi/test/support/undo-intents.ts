import type { Provider } from '@holdfast/core/spec'
import type { Connection } from '../../src/connection.ts'
import { undoIntent } from '../../src/undo.ts'

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
    undo: (intent, options) => undoIntent(connection, intent, options),
    async [Symbol.asyncDispose]() {},
  }
}
