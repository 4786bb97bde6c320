const breaks = /[\p{Cc}\u2028\u2029]+/gu

/**
 * A text that came from elsewhere, as one line: control characters and line breaks become a blank, so that it can forge neither a line nor a header, and
 * halves of characters, which no encoding takes, become U+FFFD. `longest`: at most so many UTF-16 units, cut between characters, with `…` at the end.
 */
export function oneLine(text: string, longest = Number.POSITIVE_INFINITY): string {
  const line = text.replace(breaks, ' ').toWellFormed()
  if (line.length <= longest) return line
  const cut = line.slice(0, Math.max(0, longest - 1))
  return `${cut.replace(/[\uD800-\uDBFF]$/, '')}…`
}
