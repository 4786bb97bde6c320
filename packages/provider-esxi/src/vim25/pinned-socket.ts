import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { type CallOptions, throwIfAborted } from '@holdfast/core/spec'
import type { HostAddress } from './host-requests.ts'
import { refusedCertificate } from './pinned-agent.ts'

/** A host, and whom to trust as it. */
export interface PinnedHost {
  /** The certificate must be of this host, wherever it is reached. */
  readonly host: HostAddress
  readonly connectTo: HostAddress
  /** Absent: its certificate must be valid as everywhere. */
  readonly thumbprint?: string | undefined
}

export interface PinnedSocketOptions extends CallOptions {
  /** Given all bytes that come, in one buffer that is used again. False: no more until the socket is resumed. Absent: the socket is read as any other. */
  receive?(bytes: Uint8Array): boolean
  /** Milliseconds of silence until it is trusted. Default 30,000. */
  readonly connectMs?: number
}

/** Some records of TLS, of 16 KiB each, at once. */
const bufferBytes = 64 * 1024

/**
 * A connection of its own for bulk bytes, to a host that is trusted before anything is sent. The caller destroys it.
 * @throws What the connection fails with; ACCESS_DENIED: another certificate than the thumbprint says. An aborted signal rejects with its reason.
 */
export async function openPinnedSocket({ host, connectTo, thumbprint }: PinnedHost, options: PinnedSocketOptions): Promise<TLSSocket> {
  const { signal, receive, connectMs = 30_000 } = options
  throwIfAborted(signal)
  const socket = connect({
    host: connectTo.host,
    port: connectTo.port,
    servername: isIP(host.host) === 0 ? host.host : '',
    rejectUnauthorized: thumbprint === undefined,
    ALPNProtocols: ['http/1.1'],
    ...(receive && {
      onread: {
        buffer: Buffer.allocUnsafeSlow(bufferBytes),
        callback: (count: number, buffer: Uint8Array) => receive(buffer.subarray(0, count)),
      },
    }),
  })
  const aborted = () => socket.destroy(new Error('aborted'))
  signal.addEventListener('abort', aborted, { once: true })
  const silent = Object.assign(new Error('the host takes the connection and says nothing'), { code: 'ETIMEDOUT' })
  socket.setTimeout(connectMs, () => socket.destroy(silent))
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    throwIfAborted(signal)
    const refused = thumbprint === undefined ? undefined : refusedCertificate(host.host, socket.getPeerCertificate(), thumbprint)
    if (refused !== undefined) throw refused
    socket.setTimeout(0)
    return socket
  } catch (cause) {
    socket.destroy()
    throw signal.aborted ? signal.reason : cause
  } finally {
    signal.removeEventListener('abort', aborted)
  }
}
