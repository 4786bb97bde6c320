import type { ByteStream, CallOptions } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { DeviceUrl } from '../lease/device-url.ts'
import { download } from './download.ts'

/** Which file of a lease is read, and what it is called in errors. */
export interface DeviceDownload extends CallOptions {
  readonly url: DeviceUrl
  readonly what: string
  /** Told of all bytes as they come. */
  onBytes?(count: number): void
}

/** Reads a file of a lease as {@link download} does. The session goes along only to the host that gave it. */
export function downloadDevice({ settings, clock, session }: Connection, wanted: DeviceDownload): Promise<ByteStream & AsyncDisposable> {
  const cookie = session.client.sessionCookie(wanted.url.host)
  return download({
    ...wanted,
    givenBy: settings.host,
    clock,
    stallMs: settings.stallMs,
    ...(cookie !== undefined && { cookie }),
  })
}
