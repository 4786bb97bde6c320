import { type PeerCertificate, type TLSSocket, connect as tlsConnect } from 'node:tls'
import { type CallOptions, HoldfastError, invalidOptions, throwIfAborted } from '@holdfast/core/spec'
import { Agent, buildConnector } from 'undici'
import { problemOfHost } from './host-name.ts'
import { connectionError, nameOf } from './host-requests.ts'

/** What a host shows of itself before anybody is trusted. */
export interface HostCertificate {
  /** SHA-256 of the certificate, as `AA:BB:...`: what `thumbprint` takes. */
  readonly sha256: string
  /** SHA-1 of the same, which older tools show. */
  readonly sha1: string
  /** Common name of the subject. */
  readonly subject: string
  /** As the certificate says it, for example `Nov 22 10:00:00 2036 GMT`. */
  readonly validTo: string
}

const plain = (thumbprint: string): string => thumbprint.replaceAll(/[:\s]/g, '').toUpperCase()

/** A SHA-256 or SHA-1 of a certificate, in hexadecimal with or without colons. */
export const isThumbprint = (text: string): boolean => /^([0-9A-F]{40}|[0-9A-F]{64})$/.test(plain(text))

/** A resumed session has no certificate to look at: that is no match either. */
function matches(certificate: PeerCertificate, thumbprint: string): boolean {
  if (certificate.raw === undefined) return false
  const expected = plain(thumbprint)
  return plain(certificate.fingerprint256) === expected || plain(certificate.fingerprint) === expected
}

function wrongThumbprint(host: string, shown: string | undefined): HoldfastError {
  return new HoldfastError(
    'ACCESS_DENIED',
    `The certificate of ${host} is another one than the thumbprint says: its SHA-256 is ${shown ?? 'not shown'}.`,
    {
      remedy:
        'If the certificate was renewed, look at the new one on the console of the host and give its SHA-256. Otherwise somebody stands between you and the host.',
      details: { host, ...(shown !== undefined && { sha256: shown }) },
    },
  )
}

/** What is wrong with the certificate that a host has shown; undefined: it is the one that the thumbprint names. */
export function refusedCertificate(host: string, certificate: PeerCertificate, thumbprint: string): HoldfastError | undefined {
  return matches(certificate, thumbprint) ? undefined : wrongThumbprint(host, certificate.fingerprint256)
}

/** Timeouts of all requests of an agent, milliseconds. */
export interface AgentLimits {
  /** Until there is a connection. */
  readonly connectMs: number
  /** Until an answer begins. */
  readonly answerMs: number
  /** Between two pieces of a body. */
  readonly bodyMs: number
}

/**
 * Connections to one host. With a thumbprint only the certificate it names is trusted, whoever signed it; without one a certificate must be
 * valid as everywhere. No session of TLS is resumed: a resumed one shows no certificate, so nothing would be compared.
 */
export function createPinnedAgent(thumbprint: string | undefined, { connectMs, answerMs, bodyMs }: AgentLimits): Agent {
  const connector = buildConnector({ rejectUnauthorized: thumbprint === undefined, maxCachedSessions: 0, timeout: connectMs })
  return new Agent({
    headersTimeout: answerMs,
    bodyTimeout: bodyMs,
    connect(options, callback) {
      connector(options, (error, socket) => {
        if (error !== null) return callback(error, null)
        if (thumbprint === undefined || socket === null || options.protocol !== 'https:') return callback(null, socket as TLSSocket)
        const at = nameOf({ host: options.hostname, port: Number(options.port) || 443 })
        const refused = refusedCertificate(at, (socket as TLSSocket).getPeerCertificate(), thumbprint)
        if (refused === undefined) return callback(null, socket as TLSSocket)
        socket.destroy()
        return callback(refused, null)
      })
    },
  })
}

/**
 * Reads the certificate of a host without trusting it, for a person to compare with what the console of the host shows. Nothing is sent.
 * @param host Name or address, without a scheme.
 * @throws INVALID_OPTIONS: no such name. UNREACHABLE; an aborted signal rejects with its reason.
 */
export async function readHostCertificate(host: string, port: number, { signal }: CallOptions): Promise<HostCertificate> {
  throwIfAborted(signal)
  const problem = typeof host === 'string' ? problemOfHost(host) : 'expected a host name or an address'
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw invalidOptions('readHostCertificate', [{ path: 'port', problem: `is ${port}; expected a whole number from 1 to 65535` }])
  if (problem !== undefined)
    throw invalidOptions('readHostCertificate', [{ path: 'host', problem: `is ${JSON.stringify(host)}: ${problem}` }])
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host, port, rejectUnauthorized: false, servername: /^[\d.:]+$/.test(host) ? '' : host })
    const end = () => {
      signal.removeEventListener('abort', aborted)
      socket.destroy()
    }
    const aborted = () => {
      end()
      reject(signal.reason)
    }
    signal.addEventListener('abort', aborted, { once: true })
    socket.once('secureConnect', () => {
      const { fingerprint256, fingerprint, subject, valid_to } = socket.getPeerCertificate()
      end()
      resolve({ sha256: fingerprint256, sha1: fingerprint, subject: String(subject?.CN ?? ''), validTo: valid_to })
    })
    socket.once('error', (cause) => {
      end()
      reject(connectionError(cause, { host, port }, 'reading its certificate', { signal }))
    })
  })
}
