import { HoldfastError } from '@holdfast/core/spec'
import type { HostSettings } from '../host-options.ts'
import type { HostAddress } from '../vim25/host-requests.ts'
import type { Data } from '../vim25/values.ts'

/** Where the bytes of one device of a machine are read or written while a lease is held. */
export interface DeviceUrl {
  /** How the host calls the device: in its list of sums, and in descriptors. */
  readonly key: string
  /** Of an import: how the import specification calls it. */
  readonly importKey?: string
  /** The host that the certificate must be of, as the lease names it. */
  readonly host: HostAddress
  /** Where that host is reached from here: the same, or what `hostMap` says. */
  readonly connectTo: HostAddress
  /** Path and query. It is a ticket: for no log. */
  readonly path: string
  /** What its certificate is pinned to; absent: it must be valid as everywhere. */
  readonly thumbprint?: string
  readonly disk: boolean
  /** A file name that the host proposes: never to be used unchecked. */
  readonly targetId?: string
  /** Bytes of a file that is no disk, where the host says so. */
  readonly fileSize?: number
}

const refused = (problem: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The host handed out an address for a device that is not used: ${problem}.`, { retryable: false })

function parsed(text: string): URL {
  if (!URL.canParse(text)) throw refused('it is no URL')
  const url = new URL(text)
  if (url.protocol !== 'https:') throw refused(`it begins with ${url.protocol} instead of https:`)
  if (url.username !== '' || url.password !== '') throw refused('it holds a user or a password')
  return url
}

const withoutBrackets = (host: string): string => host.replace(/^\[(.*)\]$/, '$1')

/** `name`, `name:port`, `[::1]:port` or `::1`. */
function mappedAddress(text: string, port: number): HostAddress {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text)
  if (found === null) return { host: text, port }
  return { host: found[1] ?? found[2] ?? text, port: found[3] === undefined ? port : Number(found[3]) }
}

/**
 * Reads an address out of a lease. A host `*` is the one that is asked for calls, with its port too, which may be forwarded. Another host is trusted by the
 * thumbprint that came over the trusted channel, or by a valid certificate.
 * @throws PROVIDER_FAILED (not retryable): no HTTPS.
 *
 * Source: HttpNfcLeaseDeviceUrl, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.HttpNfcLease.DeviceUrl.html
 */
export function readDeviceUrl(device: Data<'HttpNfcLeaseDeviceUrl'>, settings: HostSettings): DeviceUrl {
  const url = parsed(device.url)
  const own: HostAddress = { host: settings.host, port: settings.port }
  const named = withoutBrackets(url.hostname)
  const told: HostAddress = { host: named, port: url.port === '' ? 443 : Number(url.port) }
  // A URL has its host in lower case, whatever the host and we call it.
  const isOwn = named === '*' || (told.host === own.host.toLowerCase() && told.port === own.port)
  const host = isOwn ? own : told
  const mapped = isOwn || !Object.hasOwn(settings.hostMap, host.host) ? undefined : settings.hostMap[host.host]
  const thumbprint = isOwn ? settings.thumbprint : device.sslThumbprint || undefined
  return {
    key: device.key,
    ...(device.importKey !== undefined && device.importKey !== '' && { importKey: device.importKey }),
    host,
    connectTo: mapped === undefined ? host : mappedAddress(mapped, host.port),
    path: `${url.pathname}${url.search}`,
    ...(thumbprint !== undefined && { thumbprint }),
    disk: device.disk ?? false,
    ...(device.targetId !== undefined && { targetId: device.targetId }),
    ...(device.fileSize !== undefined && { fileSize: device.fileSize }),
  }
}
