import http from 'node:http'
import type { ByteStream, CallOptions } from '@holdfast/core/spec'
import { abortError, connectionError, idleError, type Operation } from './engine-errors.ts'

export interface HttpRequest extends CallOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Starts with `/`; the query is in it. */
  readonly path: string
  readonly body?: { readonly type: string; readonly bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array> }
  /** Milliseconds without a byte in either direction after which the call fails with STALLED. 0: never. */
  readonly idleMs: number
  /** Watch only until the head of the answer is there: whoever reads a long body may be slow with good reason, and watches it himself. */
  readonly idleUntilHead?: boolean
  readonly what: string
}

export interface HttpResponse {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: ByteStream & AsyncDisposable
}

/**
 * One request on a connection of its own over a unix socket: no pool, so nothing stays open and a connection that the engine closed is never
 * used again. Resolves with the head of the answer; a body given is sent meanwhile, one chunk at a time (a chunk is asked for only when
 * the one before has left), and sending stops when the engine answers early.
 */
export function httpRequest(socketPath: string, request: HttpRequest): Promise<HttpResponse> {
  const operation: Operation = { socketPath, what: request.what }
  if (request.signal.aborted) return Promise.reject(abortError(request.signal, operation))
  return new Promise((resolve, reject) => {
    const outgoing = http.request({
      socketPath,
      method: request.method,
      path: request.path,
      agent: false,
      signal: request.signal,
      headers: { Host: 'docker', ...(request.body && { 'Content-Type': request.body.type }) },
    })
    const stop = new AbortController()
    const state: { broken?: unknown; answered: boolean } = { answered: false }
    const fail = (error: unknown): void => {
      state.broken ??= error
      stop.abort()
      reject(request.signal.aborted ? abortError(request.signal, operation) : connectionError(error, operation))
      // An answer that came before the break still holds the engine's own words: the socket is left to whoever reads them.
      if (!state.answered) outgoing.destroy()
    }
    if (request.idleMs > 0)
      outgoing.setTimeout(request.idleMs, () => {
        state.broken ??= idleError(request.idleMs, operation)
        outgoing.destroy(state.broken as Error)
      })
    outgoing.on('error', fail)
    outgoing.on('response', (incoming) => {
      state.answered = true
      if (request.idleUntilHead) outgoing.setTimeout(0)
      if ((incoming.statusCode ?? 0) >= 400) stop.abort()
      resolve({
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        body: responseBody(incoming, outgoing, request, (error) => connectionError(state.broken ?? error, operation)),
      })
    })
    if (request.body === undefined) outgoing.end()
    else send(outgoing, request.body.bytes, stop.signal).catch(fail)
  })
}

async function send(
  outgoing: http.ClientRequest,
  bytes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  stop: AbortSignal,
): Promise<void> {
  const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }))
  for await (const chunk of bytes) {
    if (stop.aborted) return
    const written = new Promise<void>((resolve) => outgoing.write(chunk, () => resolve()))
    await Promise.race([written, stopped])
    if (stop.aborted) return
  }
  outgoing.end()
}

function responseBody(
  incoming: http.IncomingMessage,
  outgoing: http.ClientRequest,
  request: HttpRequest,
  broken: (error: unknown) => Error,
): ByteStream & AsyncDisposable {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* gathered(incoming)
      } catch (error) {
        throw request.signal.aborted ? abortError(request.signal, { socketPath: '', what: request.what }) : broken(error)
      } finally {
        outgoing.destroy()
      }
    },
    async [Symbol.asyncDispose]() {
      // A body nobody reads must not bring the process down when its connection is closed.
      incoming.on('error', () => {})
      outgoing.destroy()
    },
  }
}

/** Bytes in one buffer of {@link gathered}. */
const gatherBytes = 256 * 1024
/** Full buffers after which the connection is told to wait. */
const mostFull = 2

/**
 * What has arrived, in recycled buffers. A message gives small chunks of fresh memory, and its own iterator joins them into yet more of it: at a
 * gigabyte that is a second of garbage collection.
 */
async function* gathered(incoming: http.IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  const full: Buffer[] = []
  const free: Buffer[] = []
  let filling = Buffer.allocUnsafeSlow(gatherBytes)
  let filled = 0
  let ended: { readonly error?: unknown } | undefined
  let wake = () => {}
  const end = (error?: unknown) => {
    ended ??= error === undefined ? {} : { error }
    wake()
  }
  incoming.on('data', (chunk: Buffer) => {
    for (let at = 0; at < chunk.length; ) {
      const count = chunk.copy(filling, filled, at)
      at += count
      filled += count
      if (filled < gatherBytes) continue
      full.push(filling)
      filling = free.pop() ?? Buffer.allocUnsafeSlow(gatherBytes)
      filled = 0
    }
    if (full.length >= mostFull) incoming.pause()
    wake()
  })
  incoming.once('end', () => end()).once('error', end)
  incoming.once('close', () => end(new Error('the connection was closed')))
  for (;;) {
    const whole = full.shift()
    const piece = whole ?? filling
    const length = whole ? gatherBytes : filled
    if (length > 0) {
      if (!whole) {
        filling = free.pop() ?? Buffer.allocUnsafeSlow(gatherBytes)
        filled = 0
      }
      if (full.length < mostFull) incoming.resume()
      yield piece.subarray(0, length)
      free.push(piece)
    } else if (ended) {
      if ('error' in ended) throw ended.error
      return
    } else
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
}

/** The whole body, for answers that are known to be small. */
export async function readAll(body: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  // Lent: ours only until the next one.
  for await (const chunk of body) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
