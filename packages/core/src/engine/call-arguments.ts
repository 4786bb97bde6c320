import * as z from 'zod'
import { workloadRefSchema } from '../model/schemas.ts'
import { HoldfastError } from '../spec/errors.ts'
import { invalidOptions, parseStrict, showValue, unknownKeys } from '../spec/helpers/parse-options.ts'
import type { RunState } from '../spec/store.ts'

const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped'] as const satisfies readonly RunState[]
const name = z.string()
/** Absent, or there and undefined: both are said in JavaScript. */
const workload = workloadRefSchema.optional()

/** What the calls of an engine take besides orders of runs, which are parsed on their own. */
const schemas = {
  points: z.strictObject({ repository: name, workload }),
  workload: workloadRefSchema,
  savings: z
    .strictObject({ plan: name.optional(), run: name.optional() })
    .refine(({ plan, run }) => (plan === undefined) !== (run === undefined), 'name either plan or run'),
  previewRuns: z.strictObject({ until: name }),
  previewPrune: z.strictObject({ repository: name, workload }),
  runs: z.strictObject({ plan: name.optional(), workload, states: z.array(z.enum(states)).optional() }),
  // Not strict: whoever has a point in his hands gives it as it is.
  point: z.looseObject({ repository: name, point: name }),
} as const

/** Throws INVALID_OPTIONS with the path of each mistake, before anything is asked of the store: TypeScript checks its own callers only. */
export function checkArgument(kind: keyof typeof schemas, given: unknown, call: string): void {
  parseStrict<unknown>(schemas[kind], given, `engine.${call}`)
}

/** The same for an argument that is one word. */
export function checkWord(given: unknown, path: string, call: string): void {
  if (typeof given === 'string') return
  const problem = given === undefined ? 'is missing; expected string' : `is ${showValue(given)}; expected string`
  throw invalidOptions(`engine.${call}`, [{ path, problem }])
}

/** The same for why a point is pinned, which people read when they wonder why it is still there. */
export function checkReason(given: unknown, call: string): void {
  checkWord(given, 'reason', call)
  if (String(given).trim() !== '') return
  throw invalidOptions(`engine.${call}`, [{ path: 'reason', problem: `is ${showValue(given)}: say why it is pinned` }])
}

/** The same as {@link parseTime}, and later than `now`. Both in milliseconds. */
export function parseTimeToCome(text: string, path: string, call: string, now: number): number {
  const time = parseTime(text, path, call)
  if (time > now) return time
  throw new HoldfastError('INVALID_OPTIONS', `engine.${call}: ${path} is ${showValue(text)}, a time in the past: it protects nothing.`, {
    remedy: 'Give a time to come. engine.release({ repository, point }) ends a hold.',
  })
}

/** A time with its zone, in milliseconds. */
export function parseTime(text: string, path: string, call: string): number {
  checkWord(text, path, call)
  // Without a zone it would mean another moment on another host, and a year of five digits could not be read back.
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw new HoldfastError('INVALID_OPTIONS', `engine.${call}: ${path} is ${showValue(text)}, which is not an ISO 8601 time.`, {
    remedy: 'Write it like 2027-01-31T00:00:00Z.',
  })
}

/** A run as it was asked for, in two: its key, and what it is to do. */
export interface AskedRun {
  readonly key: string
  /** Throws INVALID_OPTIONS for what cannot be an order at all. The rest is left to the parser of runs. */
  order(): { readonly [field: string]: unknown }
}

/** Never throws: a mistake comes from the handle, as every other one. `freshKey`: for calls that need none. */
export function askedRun(call: string, given: unknown, freshKey?: () => string): AskedRun {
  const isObject = typeof given === 'object' && given !== null
  const { key, ...order } = (isObject ? given : {}) as { readonly [field: string]: unknown }
  const hasKey = typeof key === 'string' && key !== ''
  return {
    key: hasKey ? key : (freshKey?.() ?? ''),
    order() {
      if (!isObject) throw invalidOptions(`engine.${call}`, unknownKeys(given, []))
      if (hasKey || (key === undefined && freshKey)) return order
      const remedy = 'Give each piece of work a key of its own; asking again with the same key attaches to the same run.'
      const problem = key === undefined ? 'is missing' : `is ${showValue(key)}`
      throw invalidOptions(`engine.${call}`, [{ path: 'key', problem: `${problem}; expected a word that names this work`, remedy }])
    },
  }
}
