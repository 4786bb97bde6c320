import * as z from 'zod'
import { type ChainPolicy, type ChainPolicyInput, chainSchema } from '../chain/chain-policy.ts'
import { type RetentionPolicy, type RetentionPolicyInput, retentionSchema } from '../retention/index.ts'
import { cronMistake } from '../schedule/cron.ts'
import { type Schedule, type ScheduleInput, scheduleSchema } from '../schedule/index.ts'
import { invalidOptions, type OptionsMistake, parseStrict, showValue } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'
import type { Compression } from './manifest-types.ts'
import { plainJson } from './plain-json.ts'
import { compressionSchema, jsonSchema, nameSchema, toJsonSchema } from './schemas.ts'
import { type SnapshotRetention, type SnapshotRetentionInput, snapshotNameSchema, snapshotRetentionSchema } from './snapshot-options.ts'
import { refuseDoubles, selectionSchema, type WorkloadSelector } from './workload-selection.ts'

/** When a plan runs by itself, and before which others. */
interface PlannedInput {
  /** Absent: only when `engine.runPlan()` is called. */
  readonly schedule?: ScheduleInput
  /** Of the runs that could begin, those with the higher number begin first. Default 0; from -100 to 100. */
  readonly priority?: number
}

/** Protects workloads. */
export interface BackupPlanInput extends PlannedInput {
  readonly kind: 'backup'
  /** Name of the repository, as given to `createEngine`. */
  readonly repository: string
  /** At least one: by id, or by what they look like when the plan runs; `provider` is the name given to `createEngine`. */
  readonly workloads: readonly WorkloadSelector[]
  /** The provider's own; it parses them when the plan is put. Default `{}`. */
  readonly options?: unknown
  /** How streams are compressed. Default `zstd`. */
  readonly compression?: Compression
  /** When disks are backed up whole again. Absent: after 10 increments in a row. */
  readonly chain?: ChainPolicyInput
  /** Which points of this plan stay. Absent: all of them, for ever. */
  readonly retention?: RetentionPolicyInput
  /** Other repositories into which each point is copied after its backup, each with a retention of its own. Absent there: all of them stay, for ever. */
  readonly copy?: readonly { readonly repository: string; readonly retention?: RetentionPolicyInput }[]
}

/** Reads points again, or restores them into copies that are undone. */
export interface VerificationPlanInput extends PlannedInput {
  readonly kind: 'verification'
  readonly repository: string
  /** Only the points of these. Default: of all workloads that the repository holds. */
  readonly workloads?: readonly WorkloadSelector[]
  /**
   * `quick`: manifests, names and sizes. `full`: every stored byte. `sample`: every byte of some points, others each time. `restore`: the newest good
   * point of each workload is restored into a copy, probed, and undone. Default `full`.
   */
  readonly mode?: 'quick' | 'full' | 'sample' | 'restore'
  /** How many points `sample` reads of each workload. Default 1. */
  readonly points?: number
  /** What `restore` makes its copy with: parsed by the provider when the plan is put. */
  readonly restore?: { readonly provider?: string; readonly options?: unknown; readonly probe?: unknown }
}

/** Takes snapshots on the platform and removes its own old ones: no copies, and no protection against the loss of the platform. Needs no repository. */
export interface SnapshotPlanInput extends PlannedInput {
  readonly kind: 'snapshot'
  /** As of a backup plan; only of providers that have snapshots. */
  readonly workloads: readonly WorkloadSelector[]
  /** Which snapshots of this plan stay. Always needed: each one takes room on the platform and slows the workload down. */
  readonly retention: SnapshotRetentionInput
  /** With the guest's memory: going back to it finds the guest running. Default false. */
  readonly memory?: boolean
  /** The guest is asked to flush first; what came of it is told with the snapshot. Default false. */
  readonly quiesce?: boolean
  /** What people see on the platform. Default: the plan's name and the due time. */
  readonly name?: string
}

/** Keeps repositories and platforms tidy. */
export interface MaintenancePlanInput extends PlannedInput {
  readonly kind: 'maintenance'
  /** `clean-up`: prunes by the retention of all plans and sweeps files that nobody needs. `health-check`: undoes what lost work has left, and looks for all files. */
  readonly task: 'clean-up' | 'health-check'
  /** Default: all that the engine has. */
  readonly repositories?: readonly string[]
}

/** A plan as an application writes it. */
export type PlanInput = BackupPlanInput | VerificationPlanInput | SnapshotPlanInput | MaintenancePlanInput

interface Planned {
  readonly schedule?: Schedule
  readonly priority: number
}

/** {@link BackupPlanInput} with its defaults. */
export interface BackupPlan extends Planned {
  readonly kind: 'backup'
  readonly repository: string
  readonly workloads: readonly WorkloadSelector[]
  readonly options: Json
  readonly compression: Compression
  readonly chain?: ChainPolicy
  readonly retention?: RetentionPolicy
  readonly copy?: readonly { readonly repository: string; readonly retention?: RetentionPolicy }[]
}

/** {@link VerificationPlanInput} with its defaults. */
export interface VerificationPlan extends Planned {
  readonly kind: 'verification'
  readonly repository: string
  readonly workloads?: readonly WorkloadSelector[]
  readonly mode: 'quick' | 'full' | 'sample' | 'restore'
  readonly points: number
  readonly restore: { readonly provider?: string; readonly options: Json; readonly probe?: Json }
}

/** {@link SnapshotPlanInput} with its defaults. */
export interface SnapshotPlan extends Planned {
  readonly kind: 'snapshot'
  readonly workloads: readonly WorkloadSelector[]
  readonly retention: SnapshotRetention
  readonly memory: boolean
  readonly quiesce: boolean
  readonly name?: string
}

/** {@link MaintenancePlanInput} with its defaults. */
export interface MaintenancePlan extends Planned {
  readonly kind: 'maintenance'
  readonly task: 'clean-up' | 'health-check'
  readonly repositories?: readonly string[]
}

/** A plan with its defaults filled in: what the store keeps. */
export type Plan = BackupPlan | VerificationPlan | SnapshotPlan | MaintenancePlan

/** Parts of a plan that are designed but not built: worth a better answer than "not known". */
const laterParts = ['verify', 'replication', 'notify'] as const
const later = 'is not supported yet in this version'
const laterKinds = ['replication'] as const

const priorityExpected = 'expected a whole number, -100 to 100'
const planned = {
  schedule: scheduleSchema.exactOptional(),
  priority: z.int().min(-100, priorityExpected).max(100, priorityExpected).default(0),
}

const schemas = {
  backup: z.strictObject({
    kind: z.literal('backup'),
    repository: nameSchema,
    workloads: selectionSchema,
    options: jsonSchema.default({}),
    compression: compressionSchema.default('zstd'),
    chain: chainSchema.exactOptional(),
    retention: retentionSchema.exactOptional(),
    copy: z
      .array(z.strictObject({ repository: nameSchema, retention: retentionSchema.exactOptional() }))
      .min(1, 'name at least one repository, or leave it out')
      .exactOptional(),
    ...planned,
  }) satisfies z.ZodType<BackupPlan>,
  verification: z.strictObject({
    kind: z.literal('verification'),
    repository: nameSchema,
    workloads: selectionSchema.exactOptional(),
    mode: z.enum(['quick', 'full', 'sample', 'restore']).default('full'),
    points: z.int().min(1, 'expected a whole number, 1 or more').default(1),
    restore: z
      .strictObject({ provider: nameSchema.exactOptional(), options: jsonSchema.default({}), probe: jsonSchema.exactOptional() })
      .prefault({}),
    ...planned,
  }) satisfies z.ZodType<VerificationPlan>,
  snapshot: z.strictObject({
    kind: z.literal('snapshot'),
    workloads: selectionSchema,
    retention: snapshotRetentionSchema,
    memory: z.boolean().default(false),
    quiesce: z.boolean().default(false),
    name: snapshotNameSchema.exactOptional(),
    ...planned,
  }) satisfies z.ZodType<SnapshotPlan>,
  maintenance: z.strictObject({
    kind: z.literal('maintenance'),
    task: z.enum(['clean-up', 'health-check']),
    repositories: z.array(nameSchema).min(1, 'name at least one repository, or leave it out').exactOptional(),
    ...planned,
  }) satisfies z.ZodType<MaintenancePlan>,
} as const

const kindSchema = z.looseObject({ kind: z.enum(['backup', 'verification', 'snapshot', 'maintenance']) })

/**
 * Parses a plan. Throws INVALID_OPTIONS with the path of each mistake; `id` is the plan's name. Whether repository and providers exist, and what the
 * provider says about `options`, is the engine's to check.
 */
export function parsePlan(id: string, input: unknown): Plan {
  parsePlanId(id)
  const subject = `plan "${id}"`
  const plain = plainJson(input, subject)
  refuseLater(plain, subject)
  refuseBareCron(plain, subject)
  const { kind } = parseStrict(kindSchema, plain, subject)
  const plan: Plan = parseStrict<Plan>(schemas[kind], plain, subject)
  if ('workloads' in plan && plan.workloads) refuseDoubles(plan.workloads, subject)
  if (plan.kind === 'backup') refuseUnclearCopy(plan, subject)
  return plan.kind === 'backup' ? inZoneOfSchedule(plan) : plan
}

/** Whoever says when a plan runs by the clock of a place means the days of that place. */
function inZoneOfSchedule(plan: BackupPlan): BackupPlan {
  const { chain, schedule } = plan
  if (chain?.fullOn === undefined || chain.fullOn.zone !== undefined) return plan
  return { ...plan, chain: { ...chain, fullOn: { ...chain.fullOn, zone: schedule?.zone ?? 'UTC' } } }
}

/** A copy beside itself, or two into one place. */
function refuseUnclearCopy({ repository, copy = [] }: BackupPlan, subject: string): void {
  const names = new Set([repository])
  for (const [index, { repository: name }] of copy.entries()) {
    const problem = `is "${name}", ${name === repository ? 'which is the repository of the plan itself' : 'which is named before'}`
    if (names.has(name)) throw invalidOptions(subject, [{ path: `copy[${index}].repository`, problem }])
    names.add(name)
  }
}

/** Parses a plan's name: at most 63 lower-case letters, digits and hyphens. */
export function parsePlanId(id: unknown): string {
  return parseStrict(nameSchema, id, 'name of a plan')
}

function refuseLater(input: Json, subject: string): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return
  const { kind } = input as { readonly [name: string]: Json }
  const parts = laterParts.filter((part) => Object.hasOwn(input, part))
  const mistakes: OptionsMistake[] = parts.map((part) => ({ path: part, problem: later, remedy: 'Leave it out.' }))
  if (laterKinds.some((each) => each === kind)) mistakes.push({ path: 'kind', problem: `"${kind}" ${later}` })
  if (mistakes.length > 0) throw invalidOptions(subject, mistakes)
}

/** What other programs take as a schedule. */
function refuseBareCron(input: Json, subject: string): void {
  if (typeof input !== 'object' || input === null || !('schedule' in input) || typeof input.schedule !== 'string') return
  const { schedule } = input
  const remedy =
    cronMistake(schedule) === undefined
      ? `Write schedule: { type: 'cron', expression: ${JSON.stringify(schedule)} }.`
      : "Write schedule: { type: 'simple', every: 'day', at: '02:30' }, for example."
  throw invalidOptions(subject, [{ path: 'schedule', problem: `is ${showValue(schedule)}; expected object`, remedy }])
}

/** JSON Schema of {@link PlanInput}, as JSON: for forms and editors. What repository, providers and their options must be is checked by the engine. */
export function planJsonSchema(): Json {
  return toJsonSchema(
    z.discriminatedUnion('kind', [schemas.backup, schemas.verification, schemas.snapshot, schemas.maintenance]),
    'Holdfast plan',
    'input',
  )
}
