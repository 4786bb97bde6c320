import { HoldfastError } from '../../spec/errors.ts'
import type { Json } from '../../spec/json.ts'
import type { Run, RunRequest } from '../../spec/store.ts'
import type { EngineParts } from '../parts.ts'
import { resolveInput } from './requests.ts'

/**
 * A key stands for one piece of work: whoever uses it again for something else would take the old result for an answer. Throws INVALID_OPTIONS that names
 * the fields, not their values: options may hold what is secret.
 */
export function assertSameWork(parts: EngineParts, known: Run, asked: RunRequest): void {
  const differs = differences(parts, known, asked)
  if (differs.length === 0) return
  const { key, operation, workload } = known
  const { repository } = known.input as { readonly repository?: string }
  const stands = `${operation} of ${workload ?? `repository ${repository}`}`
  const message = `The key ${JSON.stringify(key)} stands for another run: ${stands}. What is asked for now differs in ${differs.join(', ')}.`
  throw new HoldfastError('INVALID_OPTIONS', message, {
    remedy: `Use a new key for other work. What became of the run with this key: engine.getRun(${JSON.stringify(key)}).`,
    details: { key, differs },
  })
}

function differences(parts: EngineParts, known: Run, asked: RunRequest): readonly string[] {
  if (known.operation !== asked.operation) return ['operation']
  const differs = differingFields(known.input, asked.input)
  return differs.length === 0 ? differs : differingFields(inputOfToday(parts, known.input), asked.input)
}

/** A row that an older version has written lacks the defaults of newer options. */
function inputOfToday(parts: EngineParts, stored: Json): Json {
  try {
    return resolveInput(parts, stored) as unknown as Json
  } catch {
    return stored
  }
}

function differingFields(known: Json, asked: Json): readonly string[] {
  const [before, now] = [known, asked] as { readonly [field: string]: Json }[]
  const fields = new Set([...Object.keys(before ?? {}), ...Object.keys(now ?? {})])
  return [...fields].filter((field) => sortedText(before?.[field]) !== sortedText(now?.[field])).sort()
}

/** A store may give the members of an object in another order. */
function sortedText(value: Json | undefined): string | undefined {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)))
      : member,
  )
}
