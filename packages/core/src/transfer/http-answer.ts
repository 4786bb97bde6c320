import type { IncomingMessage } from 'node:http'
import { HoldfastError } from '../spec/errors.ts'

/** What a server has answered. */
export interface Answer {
  readonly status: number
  /** How its answer begins: what it says of itself. */
  readonly text: string
}

/** So much of an answer is shown. */
const shownCharacters = 200

export const isGood = (status: number): boolean => status >= 200 && status < 300

/** Status and the beginning of the body. Never rejects: a body that breaks has said what it has said. */
export async function answerOf(response: IncomingMessage): Promise<Answer> {
  const status = response.statusCode ?? 0
  let text = ''
  try {
    for await (const part of response.setEncoding('utf8')) {
      text += part
      if (text.length >= shownCharacters) break
    }
  } catch {
    // The status says enough.
  }
  return { status, text: text.slice(0, shownCharacters).trim() }
}

/** The same answer, where it repeats what the request carried: a proxy may show the whole address, or a header. Words of three letters are no secret. */
export function withoutSecrets({ status, text }: Answer, url: URL, headers: { readonly [name: string]: string }): Answer {
  const parts = [url.search.slice(1), ...url.searchParams.values(), url.username, url.password, ...Object.values(headers)]
  const secrets = parts.flatMap((part) => [part, decodeURIComponentSafely(part)]).filter((part) => part.length > 3)
  const masked = [...new Set(secrets)]
    .sort((one, other) => other.length - one.length)
    .reduce((left, secret) => left.replaceAll(secret, '***'), text)
  return { status, text: masked }
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The error for another answer than 2xx. `shown`: the address without its secrets. */
export function refusal(shown: string, { status, text }: Answer): HoldfastError {
  const denied = status === 401 || status === 403
  const redirect = status >= 300 && status < 400 ? ' (a redirect, which is not followed)' : ''
  return new HoldfastError(
    denied ? 'ACCESS_DENIED' : 'PROVIDER_FAILED',
    `PUT ${shown}: the server answered ${status}${redirect}${text === '' ? '' : `: ${text}`}`,
    {
      retryable: status === 408 || status === 429 || status >= 500,
      remedy: denied ? 'Check user, password and the rights at that address.' : 'Check the address, and what the server says.',
      details: { address: shown, status },
    },
  )
}

/** The error for an answer of 2xx that comes while bytes are left to send: the server cannot have taken all of them. */
export function tooEarly(shown: string, status: number): HoldfastError {
  return new HoldfastError('PROVIDER_FAILED', `PUT ${shown}: the server answered ${status} before all had come`, {
    remedy: 'Do not trust what it has stored. Check that the server reads all of an upload before it answers, then send it again.',
    details: { address: shown, status },
  })
}
