import type { Store } from '@holdfast/core/spec'
import type { Kysely } from 'kysely'
import { openStore } from './open-store.ts'
import { createContext } from './sql-context.ts'
import { sqlNodes } from './sql-nodes.ts'
import { sqlOutbox } from './sql-outbox.ts'
import { sqlPlans } from './sql-plans.ts'
import type { SqlPlatform } from './sql-platform.ts'
import { sqlPoints } from './sql-points.ts'
import { sqlReplications } from './sql-replications.ts'
import { sqlRuns } from './sql-runs.ts'
import type { Tables } from './tables.ts'

/** What the one SQL store is made of. */
export interface SqlStoreOptions {
  /** Owned by the store from here on: disposing the store destroys it. */
  readonly database: Kysely<Tables>
  readonly platform: SqlPlatform
  /** The host that alone may use this database (for a file). Kept in the database by the first `open` that names one. */
  readonly hostName?: string
}

/**
 * The {@link Store} contract over Kysely; a dialect and a {@link SqlPlatform} make it a store for one kind of database. `open` migrates; every other
 * method rejects with STORE_FAILED before it. Each method is one transaction of the platform; an abort before its commit leaves nothing and rejects
 * with the signal's reason.
 *
 * Counting: `take` adds one failure when it takes over an ended lease, `finish` adds one for `{ state: 'queued', failure: true }`. Nothing is failed
 * here: who compares `failures` with `maxFailures` and finishes a run as `failed` is the engine.
 */
export function sqlStore({ database, platform, hostName }: SqlStoreOptions): Store {
  const context = createContext(database, platform)
  return {
    specVersion: 1,
    open: (options) => openStore(context, hostName, options),
    plans: sqlPlans(context),
    runs: sqlRuns(context),
    points: sqlPoints(context),
    nodes: sqlNodes(context),
    replications: sqlReplications(context),
    outbox: sqlOutbox(context),
    [Symbol.asyncDispose]: async () => {
      await context.close()
      await database.destroy()
    },
  }
}
