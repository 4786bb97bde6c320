import net from 'node:net'
import { type CallOptions, createLentBody } from '@holdfast/core/spec'
import { createAnswerParser } from './answer-parser.ts'
import { abortError, connectionError, idleError, type Operation } from './engine-errors.ts'
import type { HttpResponse } from './engine-http.ts'

export interface ArchiveRequest extends CallOptions {
  /** Starts with `/`; the query is in it. */
  readonly path: string
  /** Milliseconds without an answer after which the call fails with STALLED. Not of its body: whoever reads that may be slow with good reason. */
  readonly idleMs: number
  readonly what: string
}

/** More than the kernel holds for one connection: a reader that comes late takes all of it at once. */
const socketBufferBytes = 256 * 1024

/**
 * A GET with a body of gigabytes, on a connection of its own. Resolves with the head of the answer. Every byte is read into the same buffers again,
 * so that an hour of reading leaves no garbage; a reader that is slow holds the engine back.
 */
export function requestArchive(socketPath: string, request: ArchiveRequest): Promise<HttpResponse> {
  const { signal, idleMs, path } = request
  const operation: Operation = { socketPath, what: request.what }
  if (signal.aborted) return Promise.reject(abortError(signal, operation))
  return new Promise((resolve, reject) => {
    const body = createLentBody({ onRoom: () => socket.resume() })
    const receive = (bytes: Uint8Array): boolean => {
      let room = true
      try {
        parser.push(bytes, (part) => {
          room = body.push(part)
        })
      } catch (error) {
        close({ error })
      }
      if (parser.finished) close()
      return room
    }
    const socket = net.connect({
      path: socketPath,
      onread: { buffer: Buffer.allocUnsafeSlow(socketBufferBytes), callback: (count, buffer) => receive(buffer.subarray(0, count)) },
    })
    const parser = createAnswerParser({
      onHead(status) {
        socket.setTimeout(0)
        resolve({ status, body: { [Symbol.asyncIterator]: read, [Symbol.asyncDispose]: async () => close() } })
      },
    })
    async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
      try {
        yield* body.chunks()
      } finally {
        close()
      }
    }
    const close = (failure?: { readonly error: unknown }): void => {
      const outcome = failure && { error: signal.aborted ? abortError(signal, operation) : connectionError(failure.error, operation) }
      signal.removeEventListener('abort', aborted)
      if (outcome) reject(outcome.error)
      body.end(outcome)
      socket.destroy()
    }
    const aborted = () => close({ error: signal.reason })
    const ended = () => {
      try {
        parser.end()
        close()
      } catch (error) {
        close({ error })
      }
    }
    signal.addEventListener('abort', aborted, { once: true })
    socket.on('error', (error) => close({ error })).on('close', ended)
    if (idleMs > 0) socket.setTimeout(idleMs, () => close({ error: idleError(idleMs, operation) }))
    socket.write(`GET ${path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n`)
    socket.resume()
  })
}
