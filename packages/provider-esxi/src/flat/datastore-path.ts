import { HoldfastError, showValue } from '@holdfast/core/spec'

/** A file of a datastore. */
export interface DatastorePath {
  readonly datastore: string
  /** Folders and name, joined by `/`. */
  readonly path: string
}

const refused = (text: string): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The host names the file ${showValue(text)}, which is no place within a datastore.`, {
    retryable: false,
    remedy: 'Report it with the version of the host.',
  })

const isSafe = (part: string): boolean => part !== '' && part !== '.' && part !== '..' && !/[\\\p{Cc}]/u.test(part)

/**
 * Reads `[datastore1] web/web.vmdk`.
 * @throws PROVIDER_FAILED (not retryable): anything else, or a path that leaves its folder.
 */
export function parseDatastorePath(text: string): DatastorePath {
  const [, datastore, path] = /^\[([^\]]+)\] (.+)$/s.exec(text) ?? []
  if (datastore === undefined || path === undefined || !path.split('/').every(isSafe)) throw refused(text)
  return { datastore, path }
}

/**
 * Another file in the same folder.
 * @throws PROVIDER_FAILED (not retryable): `name` is no plain file name.
 */
export function besideOf({ datastore, path }: DatastorePath, name: string): DatastorePath {
  if (!isSafe(name) || name.includes('/')) throw refused(name)
  return { datastore, path: [...path.split('/').slice(0, -1), name].join('/') }
}

export const textOfPath = ({ datastore, path }: DatastorePath): string => `[${datastore}] ${path}`

/**
 * Path and query under which a host shows a file over HTTP.
 * @param datacenter Inventory path of the datacenter.
 *
 * Source: vSphere Web Services SDK Programming Guide, "HTTP access to vSphere server files".
 */
export function folderUrl({ datastore, path }: DatastorePath, datacenter: string): string {
  const segments = path.split('/').map(encodeURIComponent).join('/')
  return `/folder/${segments}?dcPath=${encodeURIComponent(datacenter)}&dsName=${encodeURIComponent(datastore)}`
}
