import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { type CallOptions, throwIfAborted } from '@holdfast/core/spec'
import type { DeviceUrl } from '../lease/device-url.ts'
import { connectionError } from '../vim25/host-requests.ts'
import { refusedCertificate } from '../vim25/pinned-agent.ts'

/**
 * A connection to the host of a device, which is trusted by its thumbprint or a valid certificate before anything is sent. The caller destroys it.
 * @throws UNREACHABLE, ACCESS_DENIED (its certificate). An aborted signal rejects with its reason.
 */
export async function openUploadSocket({ host, connectTo, thumbprint }: DeviceUrl, { signal }: CallOptions): Promise<TLSSocket> {
  throwIfAborted(signal)
  const socket = connect({
    host: connectTo.host,
    port: connectTo.port,
    // The certificate must be of the host that the lease names, wherever that is reached.
    servername: isIP(host.host) === 0 ? host.host : '',
    rejectUnauthorized: thumbprint === undefined,
    ALPNProtocols: ['http/1.1'],
  })
  const aborted = () => socket.destroy(new Error('aborted'))
  signal.addEventListener('abort', aborted, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
      socket.once('close', () => reject(new Error('the connection was closed')))
    })
    throwIfAborted(signal)
    const refused = thumbprint === undefined ? undefined : refusedCertificate(host.host, socket.getPeerCertificate(), thumbprint)
    if (refused !== undefined) throw refused
    return socket
  } catch (cause) {
    socket.destroy()
    throw connectionError(cause, connectTo, 'a disk is to be sent', { signal })
  } finally {
    signal.removeEventListener('abort', aborted)
  }
}
