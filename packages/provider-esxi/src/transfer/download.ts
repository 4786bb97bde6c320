import {
  type ByteStream,
  type CallOptions,
  type Clock,
  collectBytes,
  createLentBody,
  HoldfastError,
  throwIfAborted,
} from '@holdfast/core/spec'
import { type Agent, type Dispatcher, request } from 'undici'
import { textOf } from '../vim25/host-requests.ts'
import { createPinnedAgent } from '../vim25/pinned-agent.ts'
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

/** Silence is measured with the clock of the provider, since a host may say nothing for long before its first byte. */
const limits = { connectMs: 30_000, answerMs: 0, bodyMs: 0 }

/** Resolves when there was silence for too long; rejects when the signal aborts. */
async function silence(clock: Clock, stallMs: number, since: () => number | undefined, options: CallOptions): Promise<void> {
  for (;;) {
    const now = clock.monotonic()
    const left = (since() ?? now) + stallMs - now
    if (left <= 0) return
    await clock.sleep(left, options)
  }
}

type Answer = Dispatcher.ResponseData

async function ask(agent: Agent, { url, cookie }: DownloadOptions, options: CallOptions): Promise<Answer> {
  return request(`https://${textOf(url.connectTo)}${url.path}`, {
    dispatcher: agent,
    method: 'GET',
    signal: options.signal,
    // Also the name that the certificate must be of, whatever address it is reached at.
    headers: {
      host: url.host.port === 443 ? textOf(url.host).replace(/:443$/, '') : textOf(url.host),
      ...(cookie !== undefined && { cookie }),
    },
  })
}

async function refusal(answer: Answer, transfer: Transfer): Promise<HoldfastError> {
  const said = await collectBytes(answer.body, 4096).catch(() => new Uint8Array())
  return refusedTransfer(answer.statusCode, Buffer.from(said).toString('utf8'), transfer)
}

/** The body of an answer, in lent chunks. `failed` says what an error of the connection means. */
function bodyOf(answer: Answer, { clock, onBytes }: DownloadOptions, failed: (cause: unknown, bytes: number) => unknown) {
  const incoming = answer.body
  let waiting: number | undefined
  const body = createLentBody({
    onRoom: () => void incoming.resume(),
    onWait: (isWaiting) => {
      waiting = isWaiting ? clock.monotonic() : undefined
    },
  })
  let bytes = 0
  incoming.on('data', (chunk: Uint8Array) => {
    bytes += chunk.length
    onBytes?.(chunk.length)
    if (!body.push(chunk)) incoming.pause()
  })
  incoming.once('end', () => body.end())
  incoming.once('error', (cause) => body.end({ error: failed(cause, bytes) }))
  incoming.once('close', () => body.end({ error: failed(undefined, bytes) }))
  return { chunks: () => body.chunks(), waitingSince: () => waiting, bytes: () => bytes }
}

/**
 * Reads a file that a lease names, over a connection of its own. Resolves with the head of the answer. The chunks are lent; a reader that is slow holds the
 * host back, and is no stall. That the stream has ended does not prove that the file was whole: hosts end answers of files that they could not read on.
 * @throws UNREACHABLE, naming the host, its port and `hostMap`; ACCESS_DENIED (its certificate, or no right), PROVIDER_FAILED (retryable: its answer, or the
 * connection broke), STALLED. An aborted signal rejects with its reason, here and in the stream.
 */
export async function download(options: DownloadOptions): Promise<ByteStream & AsyncDisposable> {
  const { clock, stallMs, signal, url } = options
  throwIfAborted(signal)
  const agent = createPinnedAgent(url.thumbprint, limits)
  const over = new AbortController()
  const stop = new AbortController()
  const whole = AbortSignal.any([signal, stop.signal])
  let reading: ReturnType<typeof bodyOf> | undefined
  const askedAt = clock.monotonic()
  const silentSince = () => (reading === undefined ? askedAt : reading.waitingSince())
  silence(clock, stallMs, silentSince, { signal: over.signal }).then(
    () => stop.abort(stalledTransfer(stallMs, reading?.bytes() ?? 0, options)),
    () => {},
  )
  const close = async (): Promise<void> => {
    over.abort()
    await agent.destroy()
  }
  try {
    const answer = await ask(agent, options, { signal: whole })
    if (answer.statusCode !== 200) throw await refusal(answer, options)
    reading = bodyOf(answer, options, (cause, bytes) => (whole.aborted ? whole.reason : brokenTransfer(cause, bytes, options)))
  } catch (cause) {
    await close()
    throw whole.aborted ? whole.reason : HoldfastError.isInstance(cause) ? cause : unreachable(cause, options)
  }
  const { chunks } = reading
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* chunks()
      } finally {
        await close()
      }
    },
    [Symbol.asyncDispose]: close,
  }
}
