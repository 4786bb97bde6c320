import { request as requestInClear } from 'node:http'
import { request as requestByTls } from 'node:https'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { abortError, throwIfAborted, withDeadline } from '../spec/helpers/abort.ts'
import { formatDuration } from '../spec/helpers/format.ts'
import type { Notification, Notifier } from '../spec/notifier.ts'
import { softwareName, softwareVersion } from '../version.ts'
import { headerText, webhookBody, webhookSignature } from './webhook-message.ts'
import { parseWebhookOptions, type WebhookNotifierOptions, type WebhookSettings } from './webhook-options.ts'

const tries = 3
/** Before the second and the third request. */
const pausesMs = [1_000, 2_000] as const
/** A receiver that asks for a longer pause gets it from the engine. */
const longestPauseMs = 5_000

/**
 * Sends each notification as one POST of JSON. Headers: `holdfast-id`, the same for the same notification; with a `secret` also `holdfast-signature`:
 * `t=<seconds>,v1=<hex>`, the HMAC-SHA256 of `<t>.<body>`.
 *
 * A request that gets no answer in time, or 408, 429 or 5xx, is made up to three times, then the error is NOTIFIER_FAILED and retryable; `Retry-After` is
 * honoured, and given on as `details.retryAfterMs`. Any other answer than 2xx, a redirect too, is NOTIFIER_FAILED and not retryable. What the receiver
 * answers is not read. Abort: rejects with ABORTED, and whether it was sent is unknown. Throws INVALID_OPTIONS for a wrong option.
 *
 * @example
 * ```ts
 * notifiers: { chat: webhookNotifier({ url: process.env.SLACK_URL, format: 'slack' }) }
 * ```
 */
export function webhookNotifier(options: WebhookNotifierOptions): Notifier {
  const settings = parseWebhookOptions(options)
  return {
    specVersion: 1,
    kind: 'webhook',
    async send(notification, { signal }) {
      for (let tried = 1; ; tried++) {
        const failure = await sendOnce(settings, notification, { signal })
        if (failure === undefined) return
        const pauseMs = Math.max(pausesMs[tried - 1] ?? 0, failure.retryAfterMs ?? 0)
        if (!failure.retryable || tried === tries || pauseMs > longestPauseMs) throw errorOf(settings, notification, failure)
        await pause(settings, pauseMs, signal)
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

interface Failure {
  /** What happened, without the address. */
  readonly what: string
  readonly retryable: boolean
  readonly status?: number
  readonly retryAfterMs?: number
}

function errorOf({ url }: WebhookSettings, { id }: Notification, { what, retryable, status, retryAfterMs }: Failure): HoldfastError {
  const remedy = retryable ? undefined : 'Check the address, the secret and what the receiver expects; the address is not shown here.'
  return new HoldfastError('NOTIFIER_FAILED', `The webhook at ${url.origin} ${what}; notification ${id} was not taken.`, {
    retryable,
    ...(remedy !== undefined && { remedy }),
    details: { origin: url.origin, ...(status !== undefined && { status }), ...(retryAfterMs !== undefined && { retryAfterMs }) },
  })
}

/** Undefined: the receiver has taken it. */
async function sendOnce(settings: WebhookSettings, notification: Notification, { signal }: CallOptions): Promise<Failure | undefined> {
  throwIfAborted(signal)
  const { clock, timeoutMs } = settings
  try {
    const deadline = { signal, clock, milliseconds: timeoutMs, name: 'The webhook' }
    return judge(settings, await withDeadline(deadline, (limited) => post(settings, notification, limited)))
  } catch (error) {
    throwIfAborted(signal)
    // The text and the cause of a foreign error may hold the address: only its code is told.
    if (HoldfastError.isInstance(error)) return { what: `did not answer within ${formatDuration(timeoutMs)}`, retryable: true }
    const code = codeBelow(error)
    return { what: `could not be reached${code === undefined ? '' : ` (${code})`}`, retryable: true }
  }
}

/** What a receiver has said. */
interface Answer {
  readonly status: number
  readonly retryAfter: string | undefined
}

async function post(settings: WebhookSettings, notification: Notification, { signal }: CallOptions): Promise<Answer> {
  const { url, agent, secret, clock } = settings
  const body = webhookBody(notification, settings.format)
  const headers = {
    ...Object.fromEntries(settings.headers),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'user-agent': `${softwareName}/${softwareVersion}`,
    'holdfast-id': headerText(notification.id),
    ...(secret !== undefined && { 'holdfast-signature': webhookSignature(secret, clock.now(), body) }),
  }
  const request = url.protocol === 'https:' ? requestByTls : requestInClear
  return await new Promise((resolve, reject) => {
    const sending = request(url, { method: 'POST', headers, signal, ...(agent && { agent }) }, (response) => {
      // The status says all; not one byte of what follows is waited for or kept.
      resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
      response.on('error', () => undefined).destroy()
    })
    sending.on('error', reject).end(body)
  })
}

function judge({ clock }: WebhookSettings, { status, retryAfter }: Answer): Failure | undefined {
  if (status >= 200 && status < 300) return undefined
  if (status >= 300 && status < 400)
    return { what: `answered with a redirect (${status}), which is not followed`, retryable: false, status }
  const retryable = status === 408 || status === 429 || status >= 500
  const retryAfterMs = retryable ? pauseAsked(retryAfter, clock.now()) : undefined
  return { what: `answered ${status}`, retryable, status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/** Seconds, or a date. */
function pauseAsked(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const milliseconds = /^\d{1,9}$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}

/** `ECONNREFUSED` and the like, from as far down as it is. */
function codeBelow(error: unknown): string | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++)
    if ('code' in each && typeof each.code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(each.code)) return each.code
  return undefined
}

async function pause({ clock }: WebhookSettings, milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await clock.sleep(milliseconds, { signal })
  } catch {
    throw abortError(signal)
  }
}
