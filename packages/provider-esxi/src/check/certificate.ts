import { type CallOptions, type Check, formatDuration } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { readHostCertificate } from '../vim25/pinned-agent.ts'
import { finding } from './findings.ts'

const warnBefore = 30 * 86_400_000

/** How long the certificate is good for. That it is the right one was found when the connection was made. */
export async function checkCertificate({ settings, clock }: Connection, options: CallOptions): Promise<readonly Check[]> {
  const { host, port, thumbprint } = settings
  const { sha256, subject, validTo } = await readHostCertificate(host, port, options)
  const left = Date.parse(validTo) - clock.now()
  const details = { sha256, subject, validTo }
  const trust = thumbprint === undefined ? 'trusted as everywhere' : 'the one of the thumbprint'
  if (!(left > 0))
    return [
      finding(
        'warning',
        'certificate',
        `The certificate of ${host} (${subject}) has expired: ${validTo}. It is ${trust}. Renew it.`,
        details,
      ),
    ]
  if (left < warnBefore)
    return [finding('warning', 'certificate', `The certificate of ${host} expires in ${formatDuration(left)}. It is ${trust}.`, details)]
  return [finding('ok', 'certificate', `The certificate of ${host} is ${trust}, and good until ${validTo}.`, details)]
}
