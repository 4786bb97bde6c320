import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type CallOptions, type Clock, HoldfastError, oneLine } from '@holdfast/core/spec'
import type { DeviceUrl } from '../lease/device-url.ts'
import { connectionError, textOf } from '../vim25/host-requests.ts'
import { openPinnedSocket } from '../vim25/pinned-socket.ts'

/** What is sent, and how long the host may be silent. */
export interface UploadHead {
  readonly url: DeviceUrl
  readonly method: 'POST' | 'PUT'
  readonly headers: { readonly [name: string]: string }
  /** Exact length in bytes. */
  readonly size: number
  /** For errors. */
  readonly what: string
  readonly clock: Clock
  readonly stallMs: number
}

/** A request that is being sent. Disposing breaks it off, unless it was answered. */
export interface UploadRequest extends AsyncDisposable {
  /** Resolves when the bytes were taken, so that their buffer can be used again. False: they were not, since the host has answered already. */
  write(bytes: Uint8Array): Promise<boolean>
  /**
   * After the last byte. Resolves when the host has taken all and says that it is good.
   * @throws PROVIDER_FAILED: the host refuses it, with `details.status`; or it says so before it has got all.
   */
  end(): Promise<void>
}

/** Answers of hosts are short texts, or pages of HTML. */
const longestReason = 4096

async function reasonIn(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) {
    text += String(chunk)
    if (text.length > longestReason) break
  }
  return oneLine(text.replaceAll(/<[^>]*>/g, ' ').trim(), 200)
}

async function refusalIn(response: IncomingMessage, { url, what }: UploadHead): Promise<HoldfastError> {
  const status = response.statusCode ?? 0
  const reason = await reasonIn(response).catch(() => '')
  return new HoldfastError(
    'PROVIDER_FAILED',
    `${textOf(url.host)} refused ${what} with HTTP ${status}${reason === '' ? '.' : `: ${reason}`}`,
    {
      retryable: status >= 500,
      details: { status },
    },
  )
}

/** What has become of a request so far, and whoever waits for more. */
function watchRequest(request: ClientRequest) {
  const seen: { response?: IncomingMessage; failure?: { readonly error: unknown } } = {}
  let wake = () => {}
  request.on('response', (response) => {
    seen.response = response
    wake()
  })
  request.on('error', (error) => {
    seen.failure ??= { error }
    wake()
  })
  request.on('close', () => {
    seen.failure ??= { error: new Error('the connection was closed') }
    wake()
  })
  return {
    seen,
    /** Until it is over, or `ready` says so. One waits at a time. */
    wait: (begin: (ready: () => void) => void): Promise<void> =>
      new Promise((resolve) => {
        wake = resolve
        if (seen.response !== undefined || seen.failure !== undefined) resolve()
        else begin(resolve)
      }),
  }
}

/** Breaks a request off when the host neither takes nor answers anything for too long. */
function createWatchdog(request: ClientRequest, { clock, stallMs, what, url }: UploadHead) {
  const over = new AbortController()
  let waitingSince: number | undefined
  const watch = async (): Promise<void> => {
    for (;;) {
      const idle = waitingSince === undefined ? 0 : clock.monotonic() - waitingSince
      if (idle >= stallMs) break
      await clock.sleep(stallMs - idle, { signal: over.signal })
    }
    request.destroy(new HoldfastError('STALLED', `${textOf(url.host)} took nothing of ${what} for ${stallMs} ms.`))
  }
  watch().catch(() => {})
  return {
    async during(work: Promise<void>): Promise<void> {
      waitingSince = clock.monotonic()
      await work
      waitingSince = undefined
    },
    end: () => over.abort(),
  }
}

const tooEarly = ({ url, what }: UploadHead): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `${textOf(url.host)} answered before it had got all of ${what}.`)

/** An answer may be read before the connection has told that the last bytes were taken. */
async function sentOrClosed(request: ClientRequest, socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    if (request.writableFinished || socket.destroyed) return resolve()
    request.once('finish', resolve)
    socket.once('close', () => resolve())
  })
}

/**
 * Begins to send a file to a device. Not with undici: bytes are lent here, and only the callback of a write tells when they were taken.
 * @throws UNREACHABLE, ACCESS_DENIED (its certificate), STALLED. An aborted signal breaks it off, and rejects with its reason.
 */
export async function openUpload(head: UploadHead, { signal }: CallOptions): Promise<UploadRequest> {
  const { url, method, headers, size } = head
  const socket = await openPinnedSocket(url, { signal }).catch((cause: unknown) => {
    throw connectionError(cause, url.connectTo, 'a disk is to be sent', { signal })
  })
  const request = httpRequest({
    createConnection: () => socket,
    host: url.host.host,
    port: url.host.port,
    path: url.path,
    method,
    headers: { ...headers, host: textOf(url.host), 'content-length': String(size), connection: 'close' },
  })
  const { seen, wait } = watchRequest(request)
  const watchdog = createWatchdog(request, head)
  const aborted = () => request.destroy(new Error('aborted'))
  signal.addEventListener('abort', aborted, { once: true })
  if (signal.aborted) aborted()
  request.flushHeaders()
  const throwFailure = (): void => {
    if (signal.aborted) throw signal.reason
    if (seen.response === undefined && seen.failure !== undefined)
      throw connectionError(seen.failure.error, url.connectTo, head.what, { signal })
  }
  return {
    async write(bytes) {
      throwFailure()
      if (seen.response !== undefined) return false
      await watchdog.during(wait((ready) => request.write(bytes, () => ready())))
      throwFailure()
      return true
    },
    async end() {
      await watchdog.during(wait(() => request.end()))
      throwFailure()
      const { response } = seen
      if (response === undefined || (response.statusCode !== 200 && response.statusCode !== 201))
        throw response === undefined ? tooEarly(head) : await refusalIn(response, head)
      request.end()
      await watchdog.during(sentOrClosed(request, socket))
      if (!request.writableFinished) throw tooEarly(head)
      response.resume()
    },
    async [Symbol.asyncDispose]() {
      watchdog.end()
      signal.removeEventListener('abort', aborted)
      request.destroy()
      socket.destroy()
    },
  }
}
