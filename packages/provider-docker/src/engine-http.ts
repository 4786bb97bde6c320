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
  readonly what: string
}

export interface HttpResponse {
  readonly status: number
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
      if ((incoming.statusCode ?? 0) >= 400) stop.abort()
      resolve({
        status: incoming.statusCode ?? 0,
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
        for await (const chunk of incoming) yield chunk as Uint8Array
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

/** The whole body, for answers that are known to be small. */
export async function readAll(body: ByteStream): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  // Lent: ours only until the next one.
  for await (const chunk of body) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
