import { codeOf, formatDuration, HoldfastError, oneLine } from '@holdfast/core/spec'
import type { DeviceUrl } from '../lease/device-url.ts'
import { connectionError, textOf } from '../vim25/host-requests.ts'

const never = new AbortController().signal

/** What is read, from where: for errors. The path is a ticket, and in none of them. */
export interface Transfer {
  /** `disk-0 of web`. */
  readonly what: string
  readonly url: DeviceUrl
  /** The host that gave the address. */
  readonly givenBy: string
}

/** There is no connection: a vCenter server names hosts that may not be known, or not be reached, from here. */
export function unreachable(cause: unknown, { what, url, givenBy }: Transfer): unknown {
  const error = connectionError(cause, url.connectTo, what, { signal: never })
  if (!HoldfastError.isInstance(error) || error.code !== 'UNREACHABLE' || url.host.host === givenBy) return error
  const code = codeOf(cause) ?? 'no reason given'
  const unknown = code === 'ENOTFOUND' || code === 'EAI_AGAIN'
  const { host } = url.host
  const isMapped = url.connectTo !== url.host
  const { port } = url.connectTo
  const shown = isMapped ? `${host} (${textOf(url.connectTo)} by hostMap)` : host
  return new HoldfastError(
    'UNREACHABLE',
    `${givenBy} handed out the host ${shown} for ${what}, and ${unknown ? 'its name is not known here' : `port ${port} of it cannot be reached from here`} (${code}).`,
    {
      cause,
      remedy: isMapped
        ? `Look at what hostMap says of ${host}: it must be an address on which it is reached from here.`
        : `See to it that ${host} is reached from here on port ${port}, or name an address of it in hostMap: { '${host}': '<address>' }.`,
      details: { host, port, givenBy, code },
    },
  )
}

/** The answer is no file. `said`: the beginning of what came instead. */
export function refusedTransfer(status: number, said: string, { what, url }: Transfer): HoldfastError {
  const denied = status === 401 || status === 403
  const words = oneLine(said.replaceAll(/<[^>]*>/g, ' '), 200).trim()
  return new HoldfastError(
    denied ? 'ACCESS_DENIED' : 'PROVIDER_FAILED',
    `${textOf(url.host)} answered the request for ${what} with HTTP ${status}${words === '' ? '' : `: ${words}`}.`,
    {
      retryable: !denied,
      remedy: denied ? 'Give the account the right to export machines.' : 'Nothing at first: it is tried again with a new lease.',
      details: { status },
    },
  )
}

export const brokenTransfer = (cause: unknown, bytes: number, { what, url }: Transfer): HoldfastError =>
  new HoldfastError(
    'PROVIDER_FAILED',
    `The connection to ${textOf(url.host)} broke after ${bytes} bytes of ${what} (${codeOf(cause) ?? 'no reason given'}).`,
    { cause, retryable: true, remedy: 'Nothing at first: it is tried again with a new lease.', details: { bytes } },
  )

export const stalledTransfer = (stallMs: number, bytes: number, { what, url }: Transfer): HoldfastError =>
  new HoldfastError('STALLED', `${textOf(url.host)} sent nothing of ${what} for ${formatDuration(stallMs)}, after ${bytes} bytes.`, {
    remedy: 'Look at the load of the host and its datastores. Where it must look through large empty areas, make stallMs larger.',
    details: { stallMs, bytes },
  })
