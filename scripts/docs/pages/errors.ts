import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCodes, warningCodes } from '@holdfast/core/spec'
import { root } from '../../peers/locations.ts'

/** One real error, recorded by the test that provokes it through the public API. */
interface RecordedError {
  readonly situation: string
  readonly code: string
  readonly message: string
  readonly remedy: string
}

const recorded = 'docs/error-messages.json'

/** `docs/errors.md`: the table of codes, the codes of warnings, then what the errors look like. */
export function page(): { path: string; text: string } {
  const rows = Object.entries(errorCodes)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, { meaning, retryable, remedy }]) => `| \`${code}\` | ${cell(meaning)} | ${retryable ? 'yes' : 'no'} | ${cell(remedy)} |`)
  const table = ['| code | meaning | retry | remedy |', '|---|---|---|---|', ...rows]
  return { path: 'docs/errors.md', text: `${[...head, ...table, ...warnings(), ...examples()].join('\n')}\n` }
}

const head = [
  '# Errors',
  '',
  '<!-- Made by `npm run docs:generate` from packages/core/src/spec/error-codes.ts and warning-codes.ts. Do not edit. -->',
  '',
  'Every error that leaves a Holdfast package is a `HoldfastError` with a stable `code`, a `message` that says what happened and where, a `remedy` that says',
  'how to mend it, `retryable`, `details` (JSON) and `cause`. Test for it with `HoldfastError.isInstance(error)`, which also knows the errors of another',
  'installed copy. None of these parts ever holds a secret. Messages may change in any version; codes do not.',
  '',
  '`retry: yes` means that the same call may succeed later without anybody changing a value; the engine does so by itself. The remedy below is the',
  'one of the code; an error may bring a better one of its own.',
  '',
]

function warnings(): readonly string[] {
  const rows = Object.entries(warningCodes)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, meaning]) => `| \`${code}\` | ${cell(meaning)} |`)
  return [
    '',
    '## Warnings',
    '',
    "Nothing fails because of a warning. `engine.on('warning', ({ code, message }) => ...)` hears them, and they are in the log. A warning may also carry a code",
    'of the table above, where an error was met and got over. Other providers may have codes of their own.',
    '',
    '| code | meaning |',
    '|---|---|',
    ...rows,
  ]
}

function examples(): readonly string[] {
  const path = join(root, recorded)
  if (!existsSync(path)) return []
  const errors: readonly RecordedError[] = JSON.parse(readFileSync(path, 'utf8'))
  const shown = errors.flatMap(({ situation, code, message, remedy }) => [
    `### ${situation}`,
    '',
    '```',
    `${code}: ${message}`,
    remedy,
    '```',
    '',
  ])
  return [
    '',
    '## What they look like',
    '',
    `Real output, kept in \`${recorded}\` by the test that provokes each of them.`,
    '',
    ...shown.slice(0, -1),
  ]
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
