import * as z from 'zod'
import { invalidOptions, type OptionsMistake, parseStrict } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import type { Compression } from './manifest-types.ts'
import { workloadKey } from './names.ts'
import { plainJson } from './plain-json.ts'
import { compressionSchema, jsonSchema, nameSchema, toJsonSchema, workloadRefSchema } from './schemas.ts'

/** A plan as an application writes it. */
export interface PlanInput {
  readonly kind: 'backup'
  /** Name of the repository, as given to `createEngine`. */
  readonly repository: string
  /** At least one; `provider` is the name given to `createEngine`, `id` the platform's. */
  readonly workloads: readonly WorkloadRef[]
  /** The provider's own; it parses them when the plan is put. Default `{}`. */
  readonly options?: unknown
  /** How streams are compressed. Default `zstd`. */
  readonly compression?: Compression
}

/** A plan with its defaults filled in: what the store keeps. */
export interface Plan {
  readonly kind: 'backup'
  readonly repository: string
  readonly workloads: readonly WorkloadRef[]
  readonly options: Json
  readonly compression: Compression
}

/** Parts of a plan that are designed but not built: worth a better answer than "not known". */
const laterParts = ['schedule', 'retention', 'verify', 'copy', 'chain', 'replication', 'labels', 'notify'] as const
const later = 'is not supported yet in this version'
const timer = 'Leave it out and call engine.runPlan() from your own timer; schedules come later.'
const byHand: { readonly [part: string]: string } = { schedule: timer, retention: timer }
const laterKinds = ['replication', 'snapshot'] as const

const planSchema = z.strictObject({
  kind: z.literal('backup'),
  repository: nameSchema,
  workloads: z.array(workloadRefSchema).min(1, 'a plan protects at least one workload'),
  options: jsonSchema.default({}),
  compression: compressionSchema.default('zstd'),
}) satisfies z.ZodType<Plan>

/**
 * Parses a plan. Throws INVALID_OPTIONS with the path of each mistake; `id` is the plan's name. Whether repository and providers exist, and what the
 * provider says about `options`, is the engine's to check.
 */
export function parsePlan(id: string, input: unknown): Plan {
  parsePlanId(id)
  const subject = `plan "${id}"`
  const plain = plainJson(input, subject)
  refuseLater(plain, subject)
  const plan = parseStrict(planSchema, plain, subject)
  const keys = plan.workloads.map(workloadKey)
  const twice = keys.findIndex((key, index) => keys.indexOf(key) !== index)
  if (twice >= 0) throw invalidOptions(subject, [{ path: `workloads[${twice}]`, problem: `names ${keys[twice]} a second time` }])
  return plan
}

/** Parses a plan's name: at most 63 lower-case letters, digits and hyphens. */
export function parsePlanId(id: unknown): string {
  return parseStrict(nameSchema, id, 'name of a plan')
}

function refuseLater(input: Json, subject: string): void {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return
  const { kind } = input as { readonly [name: string]: Json }
  const parts = laterParts.filter((part) => Object.hasOwn(input, part))
  const mistakes: OptionsMistake[] = parts.map((part) => ({ path: part, problem: later, remedy: byHand[part] ?? 'Leave it out.' }))
  if (laterKinds.some((each) => each === kind)) mistakes.push({ path: 'kind', problem: `"${kind}" ${later}` })
  if (mistakes.length > 0) throw invalidOptions(subject, mistakes)
}

/** JSON Schema of {@link PlanInput}, as JSON: for forms and editors. What repository, providers and their options must be is checked by the engine. */
export function planJsonSchema(): Json {
  return toJsonSchema(planSchema, 'Holdfast plan', 'input')
}
