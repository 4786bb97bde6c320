/** A text from a repository as a terminal may get it: names there may hold anything, but must neither forge lines nor move the cursor. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** `2026-11-20T02:00:13.123Z` as `2026-11-20 02:00:13`. UTC. */
export const shortTime = (iso: string): string => iso.slice(0, 19).replace('T', ' ')

/** A count with its word: `1 file`, `3 files`. */
export const counted = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

/** Rows under a head, columns aligned, two blanks between; the last column is never padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], indent = '  '): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      `${indent}${line.map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ')}`.trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}

/** An object as the JSON that `--json` prints. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`
