/** Where an element begins in a text. */
export interface StartTag {
  /** Of the `<`. */
  readonly start: number
  /** Behind the `>`. */
  readonly end: number
  /** From 1. */
  readonly line: number
}

/** What is too much for a descriptor; a parser that builds a tree would follow it all the same. */
export interface TagLimits {
  readonly elements: number
  readonly depth: number
}

const skipped: readonly (readonly [string, string])[] = [
  ['<!--', '-->'],
  ['<![CDATA[', ']]>'],
  ['<?', '?>'],
]

/** Behind the `>` that ends a tag; quoted ones do not. -1: there is none. */
function endOfTag(text: string, start: number): number {
  let quote = ''
  for (let at = start; at < text.length; at++) {
    const character = text[at] as string
    if (quote !== '') quote = character === quote ? '' : quote
    else if (character === '"' || character === "'") quote = character
    else if (character === '>') return at + 1
  }
  return -1
}

/** Behind what begins at `start`. -1: it does not end. */
function endOf(text: string, start: number): number {
  const [open, close] = skipped.find(([begin]) => text.startsWith(begin, start)) ?? []
  if (open === undefined || close === undefined) return endOfTag(text, start)
  const end = text.indexOf(close, start + open.length)
  return end < 0 ? -1 : end + close.length
}

/**
 * The start tags of a document in their order, which is the order in which a walk over its elements meets them: so a line, or a place to change, is
 * known for each element of a parsed document. Of a text that is not well-formed they end where it ends to be so.
 * @throws RangeError: more elements, or deeper ones, than the limits.
 */
export function startTags(text: string, limits: TagLimits): readonly StartTag[] {
  const tags: StartTag[] = []
  let [line, depth, counted] = [1, 0, 0]
  for (let start = text.indexOf('<'); start >= 0; ) {
    const end = endOf(text, start)
    if (end < 0) break
    for (; counted < start; counted++) if (text[counted] === '\n') line++
    const second = text[start + 1]
    if (second === '/') depth--
    else if (second !== '!' && second !== '?') {
      tags.push({ start, end, line })
      if (tags.length > limits.elements) throw new RangeError(`line ${line}: more than ${limits.elements} elements`)
      if (text[end - 2] !== '/') depth++
      if (depth > limits.depth) throw new RangeError(`line ${line}: elements more than ${limits.depth} deep`)
    }
    start = text.indexOf('<', end)
  }
  return tags
}
