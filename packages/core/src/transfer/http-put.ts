import { type ClientRequest, request as requestInClear } from 'node:http'
import { request as requestByTls } from 'node:https'
import type { ByteStream, CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import { softwareName, softwareVersion } from '../version.ts'
import { answerOf, isGood, refusal, tooEarly, withoutSecrets } from './http-answer.ts'
import { createScope, type Scope } from './scope.ts'

/** Bytes to send: a disk in a format, or anything else of this shape. */
export interface PutBody {
  /** Exact length in bytes. Absent: sent in chunks (`Transfer-Encoding: chunked`), which some servers refuse. */
  readonly size?: number
  /** The `Content-Type`. */
  readonly mediaType: string
  /** Called once, when there is a connection. */
  open(options: CallOptions): ByteStream
}

/** How a body is sent. */
export interface PutOptions extends CallOptions {
  readonly clock: Clock
  /** More headers, for example `authorization`. None of them is shown in an error. */
  readonly headers?: { readonly [name: string]: string }
  /** Milliseconds for which the server may take nothing, or not answer, before it is STALLED. Default 120,000. */
  readonly stallMs?: number
}

/** What a server answered that has taken all of it. */
export interface PutResult {
  readonly status: number
  /** Bytes that were sent. */
  readonly bytes: number
}

/** So long a server may take to say that it wants the bytes, milliseconds: many never do. RFC 9110, section 10.1.1. */
const continueMs = 1000

/** Nothing has come there: nobody has taken the connection. */
const unansweredCodes: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])

/**
 * Sends bytes with one HTTP PUT, `Content-Length` exact when the length is known, with no more in memory than the chunk that is on its way. It resolves when the server has
 * answered 2xx to all of it: an answer that comes while something is left to send is a failure. One that comes later is believed, although a small body may then still wait to be
 * read there. When the bytes end in an error, the connection is cut in the middle of the body, so that no server takes a part for the whole.
 * The server is asked first whether it wants them (`Expect: 100-continue`), and the body is opened only when there is a connection. Redirects are not followed. User and password may be part of the address; errors
 * show neither them nor its query. Sent once: whether to try again is up to the caller. Abort cuts the connection; what the server makes of that is not known.
 * @throws INVALID_OPTIONS: no http or https address. ACCESS_DENIED (401, 403) and PROVIDER_FAILED: another answer than 2xx, with its status and the
 * first 200 characters of what it says, a 2xx before all was sent, or a broken connection. STALLED. INTERNAL: another length than announced. What the body throws passes as it is;
 * ABORTED or the signal's reason.
 */
export async function httpPut(address: string | URL, body: PutBody, options: PutOptions): Promise<PutResult> {
  const url = parseAddress(address)
  const shown = `${url.origin}${url.pathname}`
  const { signal, clock, stallMs = 120_000 } = options
  const scope = createScope({ signal, clock, stallMs, what: `PUT ${shown}` })
  let closed: Promise<void> | undefined
  try {
    if (scope.failure !== undefined) throw scope.failure
    const progress = { allSent: body.size === 0 }
    const { request, connected, wanted, status, ...sending } = openRequest(
      { url, shown, headers: headersOf(body, options), progress },
      scope,
    )
    closed = sending.closed
    try {
      await scope.race(connected)
      await scope.race(soon([wanted, status], clock, scope))
      const bytes = await sendAll(request, body, progress, scope)
      return { status: await scope.race(status), bytes }
    } finally {
      request.destroy()
    }
  } catch (error) {
    if (scope.failure === undefined) throw error
    throw codeOf(scope.failure) === 'STALLED' ? stalled(shown, stallMs) : scope.failure
  } finally {
    if (closed !== undefined) await scope.settle(closed)
    scope.close()
  }
}

function parseAddress(address: string | URL): URL {
  const url = URL.parse(String(address))
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  throw new HoldfastError('INVALID_OPTIONS', 'the address of a PUT must begin with http:// or https://')
}

/** Resolves with the first of them, or after {@link continueMs}. */
async function soon(events: readonly Promise<unknown>[], clock: Clock, { signal }: CallOptions): Promise<void> {
  const over = new AbortController()
  const late = clock.sleep(continueMs, { signal: AbortSignal.any([signal, over.signal]) })
  await Promise.race([...events, late])
  over.abort()
  late.catch(() => {})
}

function headersOf({ size, mediaType }: PutBody, { headers }: PutOptions): { readonly [name: string]: string } {
  return {
    'user-agent': `${softwareName}/${softwareVersion}`,
    'content-type': mediaType,
    ...headers,
    expect: '100-continue',
    ...(size !== undefined && { 'content-length': `${size}` }),
  }
}

/** Whether the last byte was given to the connection: before that, nobody can have taken all of it. */
interface Progress {
  allSent: boolean
}

interface Put {
  readonly url: URL
  readonly shown: string
  readonly headers: { readonly [name: string]: string }
  readonly progress: Readonly<Progress>
}

interface Sending {
  readonly request: ClientRequest
  readonly connected: Promise<void>
  /** The server has said that it wants the bytes. */
  readonly wanted: Promise<void>
  /** It has answered 2xx when it could; any other answer ends the scope. */
  readonly status: Promise<number>
  readonly closed: Promise<void>
}

/** Node refuses some values of headers and addresses at once. */
function requestTo({ url, shown, headers }: Put, { signal }: CallOptions): ClientRequest {
  const open = url.protocol === 'https:' ? requestByTls : requestInClear
  try {
    return open(url, { method: 'PUT', headers, agent: false, signal })
  } catch (cause) {
    throw new HoldfastError('INVALID_OPTIONS', `PUT ${shown}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** A broken connection, a refusal and an answer that comes too early end the scope, also while bytes are on their way. */
function openRequest(put: Put, scope: Scope): Sending {
  const { url, shown, headers, progress } = put
  const request = requestTo(put, scope)
  const connected = new Promise<void>((resolve) =>
    request.once('socket', (socket) => socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', resolve)),
  )
  const wanted = new Promise<void>((resolve) => request.once('continue', resolve))
  const closed = new Promise<void>((resolve) => request.once('close', resolve))
  let answered = false
  const status = new Promise<number>((resolve) => {
    request.once('response', async (response) => {
      // A server that has answered may close the connection too. What it says counts.
      answered = true
      const code = response.statusCode ?? 0
      if (!isGood(code)) return scope.fail(refusal(shown, withoutSecrets(await answerOf(response), url, headers)))
      response.on('error', () => {}).resume()
      if (progress.allSent) resolve(code)
      else scope.fail(tooEarly(shown, code))
    })
  })
  const brokenBy = (cause?: Error) => {
    if (!answered) scope.fail(broken(url, shown, cause))
  }
  request.on('error', brokenBy).once('close', () => brokenBy())
  return { request, connected, wanted, status, closed }
}

function broken({ host }: URL, shown: string, cause?: Error): HoldfastError {
  const code = codeOf(cause)
  const what = code !== undefined && unansweredCodes.has(code) ? `nobody answers at ${host}` : 'the connection broke'
  return new HoldfastError('PROVIDER_FAILED', `PUT ${shown}: ${what}${code === undefined ? '' : ` (${code})`}`, {
    remedy: 'Check that the server runs and can be reached, and has room; then send it again.',
    ...(cause !== undefined && { cause }),
    details: { address: shown, ...(code !== undefined && { code }) },
  })
}

function stalled(shown: string, stallMs: number): HoldfastError {
  return new HoldfastError('STALLED', `PUT ${shown}: the server took nothing, or did not answer, for ${stallMs} ms`, {
    remedy: 'Check the server and the way to it, then send it again.',
    details: { address: shown, stallMs },
  })
}

/** Each chunk has left before the next is asked for, which may be the same memory; between them, what the server says is heard. */
async function sendAll(request: ClientRequest, body: PutBody, progress: Progress, scope: Scope): Promise<number> {
  const stream = body.open({ signal: scope.signal })
  let bytes = 0
  try {
    for await (const chunk of stream) {
      bytes += chunk.length
      if (bytes > (body.size ?? bytes)) throw wrongLength(bytes, body.size)
      progress.allSent = bytes === body.size
      await scope.race(written(request, chunk))
      await scope.race(turn())
      scope.touch()
    }
    if (bytes !== (body.size ?? bytes)) throw wrongLength(bytes, body.size)
  } finally {
    await stream[Symbol.asyncDispose]?.()
  }
  progress.allSent = true
  request.end()
  return bytes
}

/** When it cannot be written the connection is broken, and an event of the request tells that. */
const written = (request: ClientRequest, chunk: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    request.write(chunk, (error) => {
      if (!error) resolve()
    })
  })

/** One turn of the event loop, in which the connection is read too: a body out of memory would give it none. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const wrongLength = (bytes: number, announced: number | undefined): HoldfastError =>
  new HoldfastError('INTERNAL', `${bytes} bytes came of a body of ${announced}`)
