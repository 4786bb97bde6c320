import * as z from 'zod'
import { type ChainPolicy, chainSchema } from '../chain/chain-policy.ts'
import { invalidOptions, parseStrict } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { Compression } from './manifest-types.ts'
import { plainJson } from './plain-json.ts'
import { compressionSchema, jsonSchema, nameSchema, pointIdSchema, toJsonSchema, workloadIdSchema, workloadRefSchema } from './schemas.ts'
import { snapshotNameSchema } from './snapshot-options.ts'

/** One workload into one repository. */
export interface BackupInput {
  readonly operation: 'backup'
  /** The plan it belongs to; absent for a backup by hand. */
  readonly plan?: string
  readonly repository: string
  readonly workload: WorkloadRef
  /** The provider's own. */
  readonly options: Json
  readonly compression: Compression
  /** When disks are backed up whole again. Absent: after 10 increments in a row. */
  readonly chain?: ChainPolicy
}

/** One workload back onto a platform. */
export interface RestoreInput {
  readonly operation: 'restore'
  /** What was protected. */
  readonly workload: WorkloadRef
  /** Absent: the only repository there is. */
  readonly repository?: string
  /** `latest`, or the id of a point. */
  readonly point: string
  /** `test`: made, probed, and undone. */
  readonly purpose: 'recover' | 'test'
  /** Onto which provider; absent: the one it came from. */
  readonly provider?: string
  /** Name of what is made; absent with `target`. */
  readonly name?: string
  /** Id of the workload that is put back to this point in place. */
  readonly target?: string
  readonly start: boolean
  /** The provider's own. */
  readonly options: Json
  /** The provider's own: run the probe with these options. Only for `test`. */
  readonly probe?: Json
}

/** Reads what is stored and compares it with its hashes. */
export interface VerifyInput {
  readonly operation: 'verify'
  readonly repository: string
  /** Only this one. */
  readonly workload?: WorkloadRef
  /** Only these. */
  readonly points?: readonly string[]
  /** Damage was met in one of `points`, which may be deleted by now: then there is nothing to do. */
  readonly ifThere?: true
  /** `quick`: manifests, names and sizes. `full`: every stored byte. */
  readonly mode: 'quick' | 'full'
  /** Of each workload only so many points, chosen by the run's key: the same for every attempt, others for the next run. */
  readonly sample?: number
}

/** Deletes points, and nothing that another point needs: those that are named, or those that the retention of no plan keeps. */
export interface PruneInput {
  readonly operation: 'prune'
  readonly repository: string
  readonly points?: readonly string[]
  /** Instead of `points`: by the retention of the plans. */
  readonly retention?: true
  /** With `retention`: only this one's. */
  readonly workload?: WorkloadRef
  /** With `retention`: no point goes, only old numbers that a merge has left. */
  readonly replaced?: true
}

/** Writes disks of a point anew so that they need less of what they build on: under a new number, deleting nothing. */
export interface MergeInput {
  readonly operation: 'merge'
  readonly repository: string
  readonly point: string
  /** The points whose part it takes over, as far as they follow one another below it. Absent: all it builds on, so that it becomes a full. */
  readonly absorb?: readonly string[]
  /** Retention asks for it: when the point is gone by then, there is nothing to do. */
  readonly byRetention?: true
}

/** Copies points of a workload into another repository, the oldest first; each run copies one, and the next one follows it. */
export interface CopyInput {
  readonly operation: 'copy'
  /** Where they are. */
  readonly from: string
  /** Where they go. */
  readonly repository: string
  readonly workload: WorkloadRef
  /** Only these. Absent: all that are newer than what is there, and that the retention there would keep. */
  readonly points?: readonly string[]
  /** Of the runs that follow each other, the how-manieth this is. */
  readonly turn: number
}

/** One snapshot of one workload on its platform. */
export interface SnapshotInput {
  readonly operation: 'snapshot'
  /** The plan it belongs to; absent for one by hand, which stays until somebody removes it. */
  readonly plan?: string
  readonly workload: WorkloadRef
  /** What people see on the platform. Absent: the plan's name, or `by hand`, and the due time. */
  readonly name?: string
  readonly memory: boolean
  readonly quiesce: boolean
}

/** Removes the snapshots of a plan that its retention does not keep. Touches no other. */
export interface PruneSnapshotsInput {
  readonly operation: 'prune-snapshots'
  readonly plan: string
  readonly workload: WorkloadRef
}

/** Undoes what lost work has left on the platforms, and removes files that nobody needs from the repository. */
export interface SweepInput {
  readonly operation: 'sweep'
  readonly repository: string
}

/** Makes the catalog what the repository says. */
export interface RescanInput {
  readonly operation: 'rescan'
  readonly repository: string
  /** The `storeId` of the owner that is gone for good: this store becomes the owner. */
  readonly takeOver?: string
}

/** What a run is to do, as the store keeps it. */
export type RunInput =
  | BackupInput
  | RestoreInput
  | VerifyInput
  | PruneInput
  | MergeInput
  | CopyInput
  | RescanInput
  | SweepInput
  | SnapshotInput
  | PruneSnapshotsInput

/** Operations a run can be. */
export type Operation = RunInput['operation']

const schemas = {
  backup: z.strictObject({
    operation: z.literal('backup'),
    plan: nameSchema.exactOptional(),
    repository: nameSchema,
    workload: workloadRefSchema,
    options: jsonSchema.default({}),
    compression: compressionSchema.default('zstd'),
    chain: chainSchema.exactOptional(),
  }) satisfies z.ZodType<BackupInput>,
  restore: z.strictObject({
    operation: z.literal('restore'),
    workload: workloadRefSchema,
    repository: nameSchema.exactOptional(),
    point: z
      .string()
      .regex(/^(latest|\d{8}T\d{6}Z-[0-9a-f]{16})$/, 'expected "latest" or the id of a point, such as 20261120T020000Z-0123456789abcdef')
      .default('latest'),
    purpose: z.enum(['recover', 'test']).default('recover'),
    provider: nameSchema.exactOptional(),
    name: workloadIdSchema.exactOptional(),
    target: workloadIdSchema.exactOptional(),
    start: z.boolean().default(false),
    options: jsonSchema.default({}),
    probe: jsonSchema.exactOptional(),
  }) satisfies z.ZodType<RestoreInput>,
  verify: z.strictObject({
    operation: z.literal('verify'),
    repository: nameSchema,
    workload: workloadRefSchema.exactOptional(),
    points: z.array(pointIdSchema).min(1, 'name at least one point').exactOptional(),
    ifThere: z.literal(true).exactOptional(),
    mode: z.enum(['quick', 'full']).default('full'),
    sample: z.int().min(1, 'expected a whole number, 1 or more').exactOptional(),
  }) satisfies z.ZodType<VerifyInput>,
  prune: z.strictObject({
    operation: z.literal('prune'),
    repository: nameSchema,
    points: z.array(pointIdSchema).min(1, 'name at least one point').exactOptional(),
    retention: z.literal(true).exactOptional(),
    workload: workloadRefSchema.exactOptional(),
    replaced: z.literal(true).exactOptional(),
  }) satisfies z.ZodType<PruneInput>,
  merge: z.strictObject({
    operation: z.literal('merge'),
    repository: nameSchema,
    point: pointIdSchema,
    absorb: z.array(pointIdSchema).min(1, 'name at least one point').exactOptional(),
    byRetention: z.literal(true).exactOptional(),
  }) satisfies z.ZodType<MergeInput>,
  copy: z.strictObject({
    operation: z.literal('copy'),
    from: nameSchema,
    repository: nameSchema,
    workload: workloadRefSchema,
    points: z.array(pointIdSchema).min(1, 'name at least one point').exactOptional(),
    turn: z.int().min(1, 'expected a whole number, 1 or more').default(1),
  }) satisfies z.ZodType<CopyInput>,
  rescan: z.strictObject({
    operation: z.literal('rescan'),
    repository: nameSchema,
    takeOver: z.string().min(1, 'expected the storeId of the owner, or "damaged"').exactOptional(),
  }) satisfies z.ZodType<RescanInput>,
  sweep: z.strictObject({ operation: z.literal('sweep'), repository: nameSchema }) satisfies z.ZodType<SweepInput>,
  snapshot: z.strictObject({
    operation: z.literal('snapshot'),
    plan: nameSchema.exactOptional(),
    workload: workloadRefSchema,
    name: snapshotNameSchema.exactOptional(),
    memory: z.boolean().default(false),
    quiesce: z.boolean().default(false),
  }) satisfies z.ZodType<SnapshotInput>,
  'prune-snapshots': z.strictObject({
    operation: z.literal('prune-snapshots'),
    plan: nameSchema,
    workload: workloadRefSchema,
  }) satisfies z.ZodType<PruneSnapshotsInput>,
} as const

/** All operations. */
export const operations = Object.keys(schemas) as readonly Operation[]
const operationSchema = z.looseObject({ operation: z.enum(operations) })

/**
 * Parses what a run is to do and fills in defaults: `options: {}`, `compression: 'zstd'`, `point: 'latest'`, `purpose: 'recover'`, `start: false`,
 * `mode: 'full'`, `turn: 1`, `memory: false`, `quiesce: false`. Throws INVALID_OPTIONS with the path of each mistake. Parsing the answer again gives the same.
 */
export function parseRunInput(input: unknown): RunInput {
  const plain = plainJson(input, 'run')
  const { operation } = parseStrict(operationSchema, plain, 'run')
  const subject = `${operation} run`
  const run: RunInput = parseStrict<RunInput>(schemas[operation], plain, subject)
  if (run.operation === 'restore') refuseContradiction(run, subject)
  if (run.operation === 'prune') refuseUnclearPrune(run, subject)
  if (run.operation === 'copy' && run.from === run.repository)
    throw invalidOptions(subject, [{ path: 'repository', problem: `is "${run.repository}", which is where the points are` }])
  if (run.operation === 'verify' && run.sample !== undefined && run.points !== undefined)
    throw invalidOptions(subject, [{ path: 'sample', problem: 'is given, but so are points' }])
  return run
}

function refuseUnclearPrune({ points, retention, workload }: PruneInput, subject: string): void {
  if (points === undefined && retention === undefined)
    throw invalidOptions(subject, [{ path: 'points', problem: 'is missing; expected the ids of points, or retention: true' }])
  if (points === undefined) return
  if (retention) throw invalidOptions(subject, [{ path: 'retention', problem: 'is given, but so are points' }])
  if (workload) throw invalidOptions(subject, [{ path: 'workload', problem: 'is given, but points are named by their ids alone' }])
}

function refuseContradiction(run: RestoreInput, subject: string): void {
  if (run.target !== undefined && run.name !== undefined) {
    throw invalidOptions(subject, [{ path: 'name', problem: `is given, but so is target "${run.target}", which keeps its own name` }])
  }
  if (run.purpose === 'test' && run.target !== undefined) {
    throw invalidOptions(subject, [{ path: 'target', problem: `is "${run.target}", but a test restore never touches what is there` }])
  }
  if (run.purpose !== 'test' && run.probe !== undefined) {
    throw invalidOptions(subject, [{ path: 'probe', problem: 'is given, but only a restore with purpose "test" is probed' }])
  }
}

/** JSON Schema of what `engine.run` takes besides `key`, as JSON. */
export function runInputJsonSchema(): Json {
  return toJsonSchema(z.discriminatedUnion('operation', Object.values(schemas) as never), 'Holdfast run', 'input')
}
