import type { TLSSocket } from 'node:tls'
import {
  type ByteStream,
  type CallOptions,
  type Clock,
  createLentAnswer,
  HoldfastError,
  throwIfAborted,
  withDeadline,
} from '@holdfast/core/spec'
import { textOf } from '../vim25/host-requests.ts'
import { openPinnedSocket } from '../vim25/pinned-socket.ts'
import { brokenTransfer, refusedTransfer, stalledTransfer, type Transfer, unreachable } from './transfer-errors.ts'

/** How a file is read. */
export interface DownloadOptions extends CallOptions, Transfer {
  readonly clock: Clock
  /** Milliseconds without a byte, or without an answer, after which it fails with STALLED. */
  readonly stallMs: number
  /** The session, for its own host only. */
  readonly cookie?: string
  /** Told of all bytes as they come. */
  onBytes?(count: number): void
}

/** Resolves when there was silence for too long; rejects when the signal aborts. */
async function silence(clock: Clock, stallMs: number, since: () => number | undefined, options: CallOptions): Promise<void> {
  for (;;) {
    const now = clock.monotonic()
    const left = (since() ?? now) + stallMs - now
    if (left <= 0) return
    await clock.sleep(left, options)
  }
}

/** The first line and the fields of the request. Nothing in it can end a line: a URL has no line feeds, nor has a cookie that came in a header. */
function requestHead({ url, cookie }: DownloadOptions): string {
  const name = url.host.port === 443 ? textOf(url.host).replace(/:443$/, '') : textOf(url.host)
  const fields = [`GET ${url.path} HTTP/1.1`, `Host: ${name}`, 'Connection: close', ...(cookie === undefined ? [] : [`Cookie: ${cookie}`])]
  return `${fields.join('\r\n')}\r\n\r\n`
}

const [mostSaid, saidWithinMs] = [4096, 5000]

/** Why it is refused: what has come of a page soon, which may be long, or never end. What we have said ourselves is a secret, and is taken out of it. */
async function refusal(status: number, body: ByteStream, options: DownloadOptions, whole: CallOptions): Promise<HoldfastError> {
  const { clock, url, cookie } = options
  let said = ''
  const read = async (): Promise<void> => {
    for await (const chunk of body) {
      said += Buffer.from(chunk).toString('utf8')
      if (said.length >= mostSaid) return
    }
  }
  await withDeadline({ clock, milliseconds: saidWithinMs, name: 'an answer', ...whole }, read).catch(() => undefined)
  for (const secret of [url.path, cookie]) if (secret !== undefined) said = said.replaceAll(secret, '***')
  return refusedTransfer(status, said, options)
}

/** An answer that is read from a connection once there is one, and since when somebody waits for it. */
function createReading(options: DownloadOptions, whole: AbortSignal) {
  const { clock, onBytes } = options
  let socket: TLSSocket | undefined
  let begun = false
  let waitingSince: number | undefined = clock.monotonic()
  const aborted = () => answer.fail(whole.reason)
  const answer = createLentAnswer({
    onRoom: () => void socket?.resume(),
    onWait: (isWaiting) => {
      waitingSince = isWaiting ? clock.monotonic() : undefined
    },
    onEnd() {
      whole.removeEventListener('abort', aborted)
      socket?.destroy()
    },
    explain(cause) {
      if (whole.aborted) return whole.reason
      return begun ? brokenTransfer(cause, answer.received, options) : unreachable(cause, options)
    },
  })
  const open = async (): Promise<number> => {
    const opened = await openPinnedSocket(options.url, { signal: whole, receive: answer.receive })
    socket = opened
    opened.on('error', answer.fail).on('close', answer.closed)
    whole.addEventListener('abort', aborted, { once: true })
    opened.write(requestHead(options))
    opened.resume()
    const status = await answer.head
    begun = true
    waitingSince = undefined
    return status
  }
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of answer.chunks()) {
      onBytes?.(chunk.length)
      yield chunk
    }
  }
  return { answer, open, chunks, waitingSince: () => waitingSince }
}

/**
 * Reads a file that a lease names, over a connection of its own. Resolves with the head of the answer. The chunks are lent; a reader that is slow holds the
 * host back, and is no stall. That the stream has ended does not prove that the file was whole: hosts end answers of files that they could not read on.
 * @throws UNREACHABLE, naming the host, its port and `hostMap`; ACCESS_DENIED (its certificate, or no right), PROVIDER_FAILED (retryable: its answer, or the
 * connection broke), STALLED. An aborted signal rejects with its reason, here and in the stream.
 */
export async function download(options: DownloadOptions): Promise<ByteStream & AsyncDisposable> {
  const { clock, stallMs, signal } = options
  throwIfAborted(signal)
  const over = new AbortController()
  const stop = new AbortController()
  const whole = AbortSignal.any([signal, stop.signal])
  const reading = createReading(options, whole)
  silence(clock, stallMs, reading.waitingSince, { signal: over.signal }).then(
    () => stop.abort(stalledTransfer(stallMs, reading.answer.received, options)),
    () => {},
  )
  const close = async (): Promise<void> => {
    over.abort()
    reading.answer.fail(new Error('nobody reads it any more'))
  }
  try {
    const status = await reading.open()
    if (status !== 200) throw await refusal(status, reading.chunks(), options, { signal: whole })
  } catch (cause) {
    await close()
    throw whole.aborted ? whole.reason : HoldfastError.isInstance(cause) ? cause : unreachable(cause, options)
  }
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* reading.chunks()
      } finally {
        await close()
      }
    },
    [Symbol.asyncDispose]: close,
  }
}
