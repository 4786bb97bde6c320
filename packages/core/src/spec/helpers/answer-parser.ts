/** What an HTTP/1.1 answer to a GET is made of, told as its bytes pass. */
export interface AnswerEvents {
  onHead(status: number): void
}

export interface AnswerParser {
  /** Gives the parts of these bytes that belong to the body. Throws an error with a code that begins with `HPE_` when this is no HTTP. What comes after the end of the answer is ignored. */
  push(bytes: Uint8Array, onBody: (part: Uint8Array) => void): void
  /** The connection has ended. Throws when the answer had not. */
  end(): void
  readonly finished: boolean
}

const mostHeadBytes = 64 * 1024
const mostLineBytes = 16 * 1024
const lineFeed = 10

/** `rest`: everything until the connection ends. */
type State = 'head' | 'chunk-size' | 'chunk' | 'chunk-end' | 'trailer' | 'counted' | 'rest' | 'finished'

/**
 * Reads an answer without making anything new for its body: Node's own parser copies every chunk into fresh memory, which at a gigabyte costs
 * seconds of garbage collection. RFC 9112, sections 4 to 7.
 */
export function createAnswerParser({ onHead }: AnswerEvents): AnswerParser {
  let state: State = 'head'
  let line = ''
  let head: string[] = []
  let headBytes = 0
  let remaining = 0

  const nextLine = (text: string): void => {
    if (state === 'head') {
      if (text !== '') head.push(text)
      else {
        const { status, framing, length } = parseHead(head)
        head = []
        headBytes = 0
        // An interim answer: the real one follows.
        if (status < 200) return
        state = framing
        remaining = length
        if (state === 'counted' && remaining === 0) state = 'finished'
        onHead(status)
      }
    } else if (state === 'chunk-size') {
      remaining = chunkSize(text)
      state = remaining > 0 ? 'chunk' : 'trailer'
    } else if (state === 'chunk-end') {
      if (text !== '') throw malformed('HPE_STRICT', 'a chunk is longer than it says')
      state = 'chunk-size'
    } else if (text === '') state = 'finished'
  }
  const readLine = (bytes: Uint8Array, at: number): number => {
    const end = bytes.indexOf(lineFeed, at)
    const stop = end === -1 ? bytes.length : end
    line += Buffer.from(bytes.buffer, bytes.byteOffset + at, stop - at).toString('latin1')
    if (state === 'head') headBytes += stop - at
    if (line.length > mostLineBytes || headBytes > mostHeadBytes) throw malformed('HPE_HEADER_OVERFLOW', 'a line is too long')
    if (end === -1) return bytes.length
    nextLine(line.endsWith('\r') ? line.slice(0, -1) : line)
    line = ''
    return end + 1
  }
  const readBody = (bytes: Uint8Array, at: number, onBody: (part: Uint8Array) => void): number => {
    const part = state === 'rest' ? bytes.subarray(at) : bytes.subarray(at, at + remaining)
    onBody(part)
    if (state === 'rest') return bytes.length
    remaining -= part.length
    if (remaining === 0) state = state === 'chunk' ? 'chunk-end' : 'finished'
    return at + part.length
  }
  return {
    push(bytes, onBody) {
      for (let at = 0; at < bytes.length && state !== 'finished'; )
        at = state === 'chunk' || state === 'counted' || state === 'rest' ? readBody(bytes, at, onBody) : readLine(bytes, at)
    },
    end() {
      if (state === 'rest') state = 'finished'
      if (state !== 'finished') throw Object.assign(new Error('the connection ended before the answer'), { code: 'ECONNRESET' })
    },
    get finished() {
      return state === 'finished'
    },
  }
}

const framingFields: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])

function parseHead(lines: readonly string[]): { readonly status: number; readonly framing: State; readonly length: number } {
  const [first = '', ...fields] = lines
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1])
  if (Number.isNaN(status)) throw malformed('HPE_INVALID_CONSTANT', 'the first line is not that of an HTTP answer')
  const headers = new Map<string, string>()
  for (const field of fields) {
    const [, name, value = ''] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(field) ?? []
    if (name === undefined) throw malformed('HPE_INVALID_HEADER_TOKEN', 'a header field has no name')
    const key = name.toLowerCase()
    // Whoever sends the length twice in two ways would be read in two ways.
    if (framingFields.has(key) && headers.has(key) && headers.get(key) !== value)
      throw malformed('HPE_UNEXPECTED_CONTENT_LENGTH', `${key} comes twice and differs`)
    headers.set(key, value)
  }
  if (status === 204 || status === 304) return { status, framing: 'counted', length: 0 }
  const coding = headers.get('transfer-encoding')
  if (coding !== undefined) {
    if (headers.has('content-length')) throw malformed('HPE_UNEXPECTED_CONTENT_LENGTH', 'a length is given beside chunks')
    if (coding.toLowerCase() !== 'chunked') throw malformed('HPE_INVALID_TRANSFER_ENCODING', `the coding is ${coding}`)
    return { status, framing: 'chunk-size', length: 0 }
  }
  const length = headers.get('content-length')
  if (length === undefined) return { status, framing: 'rest', length: 0 }
  if (!/^\d{1,15}$/.test(length)) throw malformed('HPE_INVALID_CONTENT_LENGTH', `the length is ${length}`)
  return { status, framing: 'counted', length: Number(length) }
}

/** Extensions behind a semicolon say nothing to us. */
function chunkSize(line: string): number {
  const digits = /^([0-9a-f]{1,12})[ \t]*(?:;|$)/i.exec(line)?.[1]
  if (digits === undefined) throw malformed('HPE_INVALID_CHUNK_SIZE', 'a chunk has no size')
  return Number.parseInt(digits, 16)
}

const malformed = (code: string, problem: string): Error => Object.assign(new Error(`Not an HTTP answer: ${problem}.`), { code })
