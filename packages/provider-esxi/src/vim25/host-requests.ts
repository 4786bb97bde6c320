import { type CallOptions, codeOf, HoldfastError, throwIfAborted } from '@holdfast/core/spec'
import { type Agent, request } from 'undici'

/** Where a host is. */
export interface HostAddress {
  readonly host: string
  readonly port: number
}

/** Host and port. */
export const textOf = ({ host, port }: HostAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** A host in a message, as it was configured: with its port where that is not the usual one. */
export const nameOf = (address: HostAddress): string => (address.port === 443 ? address.host : textOf(address))

/** A page of a hundred objects is some hundred kilobytes. */
const longestAnswer = 64 * 1024 * 1024

/** Names of errors of TLS that say: this certificate is not trusted. */
const isDistrust = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS/.test(code)

interface Failure {
  /** `%` stands for the address. */
  readonly said: string
  readonly remedy: string
}

const unknownName: Failure = {
  said: 'The name % is not known here',
  remedy: 'Check how the host is spelt, and that the DNS of this machine knows it. Its address works as well.',
}
const noListener: Failure = {
  said: 'Nothing answers at %: the connection was refused',
  remedy: 'Check host and port, which is 443 as a rule, and whether the management services of the host run.',
}
const noTls: Failure = {
  said: 'What answers at % does not speak HTTPS',
  remedy: 'Give the port of HTTPS, which is 443 as a rule.',
}
const noWay: Failure = {
  said: '% does not answer',
  remedy: 'Check the address, whether the host runs, and that no firewall stands between here and its port.',
}
const failures: { readonly [code: string]: Failure } = {
  ENOTFOUND: unknownName,
  EAI_AGAIN: unknownName,
  ECONNREFUSED: noListener,
  EPROTO: noTls,
}

/** What a connection that broke means: the certificate is not trusted, or why the host does not answer. */
export function connectionError(cause: unknown, address: HostAddress, what: string, { signal }: CallOptions): unknown {
  if (signal.aborted) return signal.reason
  if (HoldfastError.isInstance(cause)) return cause
  const code = codeOf(cause) ?? 'no reason given'
  const details = { host: address.host, port: address.port, code }
  if (isDistrust(code))
    return new HoldfastError('ACCESS_DENIED', `The certificate of ${textOf(address)} is not trusted (${code}).`, {
      cause,
      remedy: 'Read its SHA-256 with readHostCertificate, compare it with what the console of the host shows, and give it as thumbprint.',
      details,
    })
  const { said, remedy } = failures[code] ?? (code.startsWith('ERR_SSL') ? noTls : noWay)
  const shown = said.replace('%', () => (said === unknownName.said ? address.host : textOf(address)))
  return new HoldfastError('UNREACHABLE', `${shown} (${what}, ${code}).`, { cause, remedy, details })
}

async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > longestAnswer)
      throw new HoldfastError('PROVIDER_FAILED', `An answer is longer than ${longestAnswer} bytes.`, { retryable: false })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Quotes in the value belong to it. */
function sessionCookieOf(header: string | readonly string[] | undefined): string | undefined {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header
  return lines.map((line) => line.split(';')[0]?.trim()).find((pair) => pair?.startsWith('vmware_soap_session='))
}

/** A question to a host. */
export interface HostRequest extends CallOptions {
  /** Begins with `/`. */
  readonly path: string
  /** For errors. */
  readonly what: string
  /** Absent: a GET without the session. */
  readonly soap?: { readonly body: string; readonly action: string }
}

/** Requests to one host that have small answers. Keeps the cookie of the session, and sends it nowhere else. */
export interface HostRequests {
  /**
   * The whole answer, whatever its status.
   * @throws UNREACHABLE, ACCESS_DENIED (its certificate), PROVIDER_FAILED (longer than 64 MiB). An aborted signal rejects with its reason.
   */
  send(request: HostRequest): Promise<{ readonly status: number; readonly text: string }>
  /** The header `cookie` of the session, for requests to this host that are made elsewhere. A secret. */
  sessionCookie(): string | undefined
  forgetSession(): void
}

export function createHostRequests(address: HostAddress, dispatcher: Agent): HostRequests {
  let cookie: string | undefined
  return {
    async send({ path, what, soap, signal }) {
      throwIfAborted(signal)
      const headers = soap && {
        'content-type': 'text/xml; charset="utf-8"',
        soapaction: soap.action,
        ...(cookie !== undefined && { cookie }),
      }
      try {
        const answer = await request(`https://${textOf(address)}${path}`, {
          dispatcher,
          signal,
          ...(soap === undefined ? { method: 'GET' } : { method: 'POST', body: soap.body, headers: headers ?? {} }),
        })
        cookie = sessionCookieOf(answer.headers['set-cookie']) ?? cookie
        return { status: answer.statusCode, text: await readText(answer.body) }
      } catch (cause) {
        throw connectionError(cause, address, what, { signal })
      }
    },
    sessionCookie: () => cookie,
    forgetSession() {
      cookie = undefined
    },
  }
}
