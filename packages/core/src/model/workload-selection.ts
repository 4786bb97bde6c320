import * as z from 'zod'
import { invalidOptions } from '../spec/helpers/parse-options.ts'
import type { Workload, WorkloadRef } from '../spec/workload.ts'
import { workloadKey } from './names.ts'
import { nameSchema, workloadIdSchema } from './schemas.ts'

/** Workloads chosen by what they look like when the plan is due: whatever the provider shows then and fits all that is given. */
export interface WorkloadPattern {
  /** The name given to `createEngine`. */
  readonly provider: string
  /** Fits name or id; `*` stands for any characters, `?` for one. */
  readonly glob?: string
  /** Each of these labels, with this value; `*` as a value stands for any. */
  readonly labels?: { readonly [name: string]: string }
}

/** One workload by its id, or all that fit a pattern. */
export type WorkloadSelector = WorkloadRef | WorkloadPattern

/** One shape for both, so that a misspelt key is told with the one that was meant. */
const selectorSchema = z
  .strictObject({
    provider: nameSchema,
    id: workloadIdSchema.exactOptional(),
    glob: workloadIdSchema.exactOptional(),
    labels: z.record(z.string().min(1), z.string()).exactOptional(),
  })
  .refine(
    ({ id, glob, labels }) => (id !== undefined) !== (glob !== undefined || Object.keys(labels ?? {}).length > 0),
    'choose either by id, or by glob, labels or both',
  ) as unknown as z.ZodType<WorkloadSelector>

export const selectionSchema = z.array(selectorSchema).min(1, 'a plan protects at least one workload')

export const isById = (selector: WorkloadSelector): selector is WorkloadRef => 'id' in selector

/** The same workload twice is a mistake; a pattern that fits one named too is not. Throws INVALID_OPTIONS. */
export function refuseDoubles(workloads: readonly WorkloadSelector[], subject: string): void {
  const keys = workloads.map((each) => (isById(each) ? workloadKey(each) : undefined))
  const twice = keys.findIndex((key, index) => key !== undefined && keys.indexOf(key) !== index)
  if (twice >= 0) throw invalidOptions(subject, [{ path: `workloads[${twice}]`, problem: `names ${keys[twice]} a second time` }])
}

/** Whether a workload of the pattern's provider fits it. Pure. */
export function fits(pattern: WorkloadPattern, workload: Pick<Workload, 'id' | 'name' | 'labels'>): boolean {
  const { glob, labels = {} } = pattern
  if (glob !== undefined && !globFits(glob, workload.name) && !globFits(glob, workload.id)) return false
  return Object.entries(labels).every(([name, wanted]) => {
    const value = workload.labels?.[name]
    return value !== undefined && (wanted === '*' || wanted === value)
  })
}

/** Without a regular expression, whose work can grow without bound: the last `*` is the only place to go back to. */
function globFits(glob: string, text: string): boolean {
  let [at, inGlob, star, mark] = [0, 0, -1, 0]
  while (at < text.length) {
    if (glob[inGlob] === '*') {
      star = inGlob++
      mark = at
    } else if (inGlob < glob.length && (glob[inGlob] === '?' || glob[inGlob] === text[at])) {
      inGlob++
      at++
    } else if (star >= 0) {
      inGlob = star + 1
      at = ++mark
    } else return false
  }
  while (glob[inGlob] === '*') inGlob++
  return inGlob === glob.length
}

/** In plain words, for messages: `docker/shop-db`, `docker/shop-*`, `docker with tier=critical`. */
export function describeSelector(selector: WorkloadSelector): string {
  if (isById(selector)) return workloadKey(selector)
  const { provider, glob, labels } = selector
  const withLabels = Object.entries(labels ?? {}).map(([name, value]) => `${name}=${value}`)
  return `${provider}${glob === undefined ? '' : `/${glob}`}${withLabels.length === 0 ? '' : ` with ${withLabels.join(', ')}`}`
}
