import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Host } from './calls/call.ts'
import { createSelfSignedCertificate } from './self-signed-certificate.ts'
import { answerTransfer } from './simulated-transfers.ts'

/** Starts the host behind a vCenter server that hands out the files of machines: on another port, with a certificate of its own. */
export async function startTransferHost(host: Host): Promise<AsyncDisposable> {
  const { key, certificate } = createSelfSignedCertificate('simulated host behind vCenter')
  const server = createServer({ key, cert: certificate }, (request, response) => {
    if (!answerTransfer(host, request, response)) response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host.leases.settings.urlPrefix = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  host.leases.settings.urlThumbprint = new X509Certificate(certificate).fingerprint
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
