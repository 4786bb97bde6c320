import { HoldfastError } from '../errors.ts'
import type { Json } from '../json.ts'
import { nearest } from './nearest.ts'

/** One thing wrong with a value, as a validation library tells it. Matches the issues of zod 4. */
export interface OptionsIssue {
  readonly code?: string | undefined
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** A strict schema. Matches the schemas of zod 4, so that no plug-in has to show its validation library in its types. */
export interface OptionsSchema<Output> {
  /** The value with its defaults, or every mistake in it. Never throws for a wrong value, and does not change what it is given. */
  safeParse(
    input: unknown,
  ):
    | { readonly success: true; readonly data: Output }
    | { readonly success: false; readonly error: { readonly issues: readonly OptionsIssue[] } }
}

/**
 * Parses what a person wrote. `subject` names it in messages, for example `plan "nightly"` or `docker options`.
 *
 * Throws INVALID_OPTIONS. The message names the path of each mistake, the offending value and what is allowed; for a misspelt key or word the remedy
 * names the nearest allowed one. Values are not shown below a path that sounds like a secret, and the user part of a URL never.
 *
 * @example
 * ```ts
 * const schema = z.strictObject({ stop: z.boolean().default(false) })
 * parseOptions: (use, input) => parseStrict(schema, input, `docker ${use} options`)
 * ```
 */
export function parseStrict<Output>(schema: OptionsSchema<Output>, input: unknown, subject: string): Output {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const mistakes = result.error.issues.flatMap((issue) => explain(issue, input, schema))
  throw invalidOptions(subject, mistakes)
}

/** One mistake in words: where, what is wrong there, and the word that was probably meant. */
export interface OptionsMistake {
  readonly path: string
  readonly problem: string
  readonly meant?: string
  /** How to mend this one mistake, when there is more to say than the word that was meant. */
  readonly remedy?: string
}

/** The error of {@link parseStrict}, for checks that no schema expresses. At most five mistakes are told. */
export function invalidOptions(subject: string, mistakes: readonly OptionsMistake[]): HoldfastError {
  const told = mistakes.slice(0, 5)
  const more = mistakes.length > told.length ? `; and ${mistakes.length - told.length} more` : ''
  const remedies = told.flatMap(({ meant, remedy }) => [
    ...(meant === undefined ? [] : [`Did you mean "${meant}"?`]),
    ...(remedy === undefined ? [] : [remedy]),
  ])
  const details: Json = { mistakes: told.map(({ path, problem, meant }) => ({ path, problem, ...(meant !== undefined && { meant }) })) }
  const message = `${subject}: ${told.map(({ path, problem }) => `${path === '' ? 'the value' : path} ${problem}`).join('; ')}${more}`
  return new HoldfastError('INVALID_OPTIONS', message, {
    details,
    ...(remedies.length > 0 && { remedy: [...new Set(remedies)].join(' ') }),
  })
}

function explain(issue: OptionsIssue, input: unknown, schema: unknown): readonly OptionsMistake[] {
  const path = pathText(issue.path)
  const value = valueAt(input, issue.path)
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, input, issue.path)
    return list(issue, 'keys').map((key) => unknownKey(pathText([...issue.path, String(key)]), String(key), known))
  }
  const is = `is ${showValue(value, issue.path)}`
  const choices = [...list(issue, 'values'), ...list(issue, 'options')]
  if (choices.length > 0) {
    const allowed = choices.map(String)
    const meant = typeof value === 'string' ? nearest(value, allowed) : undefined
    const choice = allowed.map((word) => JSON.stringify(word)).join(', ')
    return [{ path, problem: `${value === undefined ? 'is missing' : is}; allowed: ${choice}`, ...(meant !== undefined && { meant }) }]
  }
  const expected = 'expected' in issue ? String(issue.expected) : undefined
  if (value === undefined && issue.code === 'invalid_type') return [{ path, problem: `is missing; expected ${expected}` }]
  if (issue.code === 'invalid_type') return [{ path, problem: `${is}; expected ${expected}` }]
  const meant = (issue as { readonly params?: { readonly meant?: string } }).params?.meant
  return [{ path, problem: `${is}: ${issue.message}`, ...(meant !== undefined && { meant }) }]
}

/**
 * The keys of an options object that are not in `known`, in the words of {@link parseStrict}: for options that hold functions and objects, which no
 * schema is written for. `also` maps words that people try to the key they mean, where spelling alone would not tell.
 */
export function unknownKeys(
  options: unknown,
  known: readonly string[],
  also: { readonly [word: string]: string } = {},
): readonly OptionsMistake[] {
  if (typeof options !== 'object' || options === null) return [{ path: '', problem: `is ${showValue(options)}; expected object` }]
  return Object.keys(options).flatMap((key) => {
    if (known.includes(key)) return []
    const mistake = unknownKey(pathText([key]), key, known)
    const meant = mistake.meant ?? (Object.hasOwn(also, key) ? also[key] : undefined)
    return [{ ...mistake, ...(meant !== undefined && { meant }) }]
  })
}

function unknownKey(path: string, key: string, known: readonly string[]): OptionsMistake {
  const meant = nearest(key, known)
  const choice = known.length > 0 ? `; known: ${known.join(', ')}` : ''
  return { path, problem: `is not known here${choice}`, ...(meant !== undefined && { meant }) }
}

const list = (issue: OptionsIssue, member: string): readonly unknown[] => {
  const value = (issue as unknown as { readonly [name: string]: unknown })[member]
  return Array.isArray(value) ? value : []
}

/** A path as it would be written in code: `workloads[0].id`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_$][\w$]*$/.test(String(step))) text += `${text === '' ? '' : '.'}${String(step)}`
    else text += `[${JSON.stringify(String(step))}]`
  }
  return text
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as { readonly [name: PropertyKey]: unknown })[step]
  }
  return value
}

const secretName = /pass|secret|token|credential|private|api.?key|auth|cookie|^key$/i

/** A value as messages may show it: short, one line, and nothing that may be a secret. */
export function showValue(value: unknown, path: readonly PropertyKey[] = []): string {
  if (path.some((step) => secretName.test(String(step)))) return '(hidden)'
  if (typeof value === 'string') {
    const safe = value.replace(/:\/\/[^/@\s]*@/g, '://(hidden)@')
    return JSON.stringify(safe.length > 80 ? `${safe.slice(0, 80)}...` : safe)
  }
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? 'a function' : String(value)
  return 'an object'
}

interface SchemaShape {
  readonly def?: {
    readonly innerType?: unknown
    readonly in?: unknown
    readonly element?: unknown
    readonly options?: unknown
    readonly values?: unknown
  }
  readonly shape?: { readonly [name: string]: unknown }
}

/** The keys that the object schema at `path` knows; empty when it cannot be told. */
function keysAt(schema: unknown, input: unknown, path: readonly PropertyKey[]): readonly string[] {
  let current = memberFor(unwrap(schema), input)
  for (const [index, step] of path.entries()) {
    const below = typeof step === 'number' ? current?.def?.element : current?.shape?.[String(step)]
    current = memberFor(unwrap(below), valueAt(input, path.slice(0, index + 1)))
  }
  return Object.keys(current?.shape ?? {})
}

/** Of a union of objects the one whose fixed words `value` has; any other schema as it is. */
function memberFor(schema: SchemaShape | undefined, value: unknown): SchemaShape | undefined {
  const options = schema?.def?.options
  if (!Array.isArray(options)) return schema
  const members = options.map((option) => memberFor(unwrap(option), value))
  const fits = ([name, each]: [string, unknown]): boolean => {
    const words = (each as SchemaShape).def?.values
    return !Array.isArray(words) || words.includes(valueAt(value, [name]))
  }
  return members.find((member) => member?.shape !== undefined && Object.entries(member.shape).every(fits))
}

function unwrap(schema: unknown): SchemaShape | undefined {
  let current = schema as SchemaShape | undefined
  while (current?.shape === undefined && (current?.def?.innerType ?? current?.def?.in) !== undefined)
    current = (current?.def?.innerType ?? current?.def?.in) as SchemaShape
  return current
}
