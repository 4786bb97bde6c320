import type { Generated } from 'kysely'

/** The tables of the catalog. Times are milliseconds UTC; columns named `*_json` hold JSON text; flags are 0 or 1. */
export interface Tables {
  /** One value per name: `schema`, `store_id`, `epoch`, `host`. */
  readonly holdfast_meta: { name: string; value: string }
  readonly plans: { id: string; revision: number; plan_json: string }
  readonly cursors: { plan_id: string; schedule: string; due: number | null }
  readonly runs: RunTable
  readonly catalog_versions: { repository: string; workload: string; version: number }
  readonly points: PointTable
  readonly flags: { repository: string; folder: string; flags_json: string }
  readonly node_reports: {
    sequence: Generated<number>
    node: string
    at: number
    state: string
    version: string
    checks_json: string
    host_name: string | null
  }
  readonly replications: { id: string; epoch: number; state: string; data_json: string }
  readonly failover_events: {
    sequence: Generated<number>
    id: string
    replication_id: string
    epoch: number
    at: number
    event_json: string
  }
  readonly outbox: { sequence: Generated<number>; id: string; event_json: string; hidden_until: number; done: number }
}

/** A run. The target is three columns, so that a unique index gives each number to one unfinished run. */
export interface RunTable {
  sequence: Generated<number>
  id: string
  key: string
  operation: string
  plan_id: string | null
  workload: string | null
  due_at: number
  delay: number
  not_before: number
  priority: number
  max_failures: number
  needs_json: string
  resources_json: string
  overlap_key: string | null
  overlap_policy: string | null
  input_json: string
  state: string
  attempt: number
  failures: number
  worker: string | null
  lease_until: number | null
  /** For how many milliseconds `lease_until` of a running run, or `not_before` of a queued one, was set. Null: by an older version. */
  set_for: number | null
  cancel_reason: string | null
  target_repository: string | null
  target_folder: string | null
  target_number: number | null
  reads_json: string
  intents_json: string
  has_intents: number
  progress_json: string | null
  result_json: string | null
  error_json: string | null
}

/**
 * One manifest: its key is repository, folder and number. `condemned` is 1 from the moment its deletion was decided until the row goes; such a row is
 * never used or renewed. `summary_json` is what the engine made of the manifest, so that points are listed without reading the repository.
 */
export interface PointTable {
  repository: string
  folder: string
  number: number
  point_id: string
  workload: string
  parents_json: string
  sequence: number
  created_at: number
  summary_json: string
  condemned: number
}
