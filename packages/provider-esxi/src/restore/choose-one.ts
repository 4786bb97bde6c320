import { invalidOptions, nearest } from '@holdfast/core/spec'

/** What is chosen, for messages. */
export interface Sought {
  /** Path of the option that names it. */
  readonly option: string
  /** In words: `datastore`. */
  readonly what: string
  /** The host as it was configured. */
  readonly at: string
}

/** Something of a host that can be named in options. */
export interface Choice {
  /** What people call it, the first name being the one that is shown. */
  readonly names: readonly string[]
}

const shown = (choices: readonly Choice[]): string => choices.map(({ names }) => JSON.stringify(names[0])).join(', ') || 'none'

function refuse(option: string, problem: string, choices: readonly Choice[], meant?: string): never {
  const remedy = choices.length > 0 ? `Give options.${option}: one of ${shown(choices)}.` : undefined
  throw invalidOptions('esxi restore options', [
    { path: option, problem, ...(meant !== undefined && { meant }), ...(remedy !== undefined && { remedy }) },
  ])
}

/**
 * The one that is asked for; when none is, the only one there is.
 * @throws INVALID_OPTIONS: there is none of this name, or several, or nothing was said and there are several. The message names all of them.
 */
export function chooseOne<One extends Choice>({ option, what, at }: Sought, asked: string | undefined, choices: readonly One[]): One {
  const fitting = asked === undefined ? choices : choices.filter(({ names }) => names.includes(asked))
  const [only] = fitting
  if (only !== undefined && fitting.length === 1) return only
  if (asked === undefined)
    return refuse(
      option,
      choices.length === 0 ? `cannot be chosen: ${at} has no ${what}` : `is missing: ${at} has ${choices.length} of them`,
      choices,
    )
  if (fitting.length > 1) return refuse(option, `is ${JSON.stringify(asked)}, of which ${at} has ${fitting.length}`, choices)
  const meant = nearest(
    asked,
    choices.flatMap(({ names }) => names),
  )
  return refuse(option, `is ${JSON.stringify(asked)}: ${at} has no such ${what}, only ${shown(choices)}`, choices, meant)
}
