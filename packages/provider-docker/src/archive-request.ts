import net from 'node:net'
import { type CallOptions, createLentAnswer } from '@holdfast/core/spec'
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

/** A GET with a body of gigabytes, on a connection of its own. Resolves with the head of the answer. A reader that is slow holds the engine back. */
export async function requestArchive(socketPath: string, request: ArchiveRequest): Promise<HttpResponse> {
  const { signal, idleMs, path } = request
  const operation: Operation = { socketPath, what: request.what }
  if (signal.aborted) throw abortError(signal, operation)
  const answer = createLentAnswer({
    onRoom: () => socket.resume(),
    onEnd() {
      signal.removeEventListener('abort', aborted)
      socket.destroy()
    },
    explain: (cause) => (signal.aborted ? abortError(signal, operation) : connectionError(cause, operation)),
  })
  const aborted = () => answer.fail(signal.reason)
  const socket = net.connect({
    path: socketPath,
    onread: {
      buffer: Buffer.allocUnsafeSlow(socketBufferBytes),
      callback: (count, buffer) => answer.receive(buffer.subarray(0, count)),
    },
  })
  signal.addEventListener('abort', aborted, { once: true })
  socket.on('error', answer.fail).on('close', answer.closed)
  if (idleMs > 0) socket.setTimeout(idleMs, () => answer.fail(idleError(idleMs, operation)))
  socket.write(`GET ${path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n`)
  socket.resume()
  const status = await answer.head
  socket.setTimeout(0)
  return { status, body: { [Symbol.asyncIterator]: answer.chunks, [Symbol.asyncDispose]: async () => answer.fail(undefined) } }
}
