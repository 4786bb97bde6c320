import { type BackupResult, type BackupSink, bytesOf, type CallOptions, codeOf, HoldfastError, type Receipt } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Device, isOf, labelOf } from '../inventory/devices.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { DatastoreFiles } from './datastore-files.ts'
import { parseDatastorePath, textOfPath } from './datastore-path.ts'

/** Images in the drives of a machine: they are no part of it, and may be of any size. */
export async function skippedImages(
  { session }: Connection,
  { ref }: FoundMachine,
  options: CallOptions,
): Promise<BackupResult['skipped']> {
  const { values } = await retrieveOne(session, ref, ['config.hardware.device'], options)
  return ((values['config.hardware.device'] ?? []) as readonly Device[]).flatMap((device) => {
    const { backing } = device
    const isImage = isOf(backing, 'VirtualCdromIsoBackingInfo') || isOf(backing, 'VirtualFloppyImageBackingInfo')
    return isImage ? [{ name: labelOf(device), reason: `The mode "vmdk" takes no images: ${backing.fileName}.` }] : []
  })
}

/** A file beside the disks of a machine. */
export interface SmallFile {
  /** Under which it is stored. */
  readonly name: string
  /** `[datastore1] web/web.nvram`. */
  readonly fileName: string
  /** `the NVRAM of web`. */
  readonly what: string
}

/** Settings have some kilobytes, NVRAM some hundred. */
export const longestSmallFile = 16 * 1024 * 1024

/** Without these a machine can be restored, so a host that does not hand them out stops no backup. */
const mayBeMissing = new Set(['IN_USE', 'PROVIDER_FAILED', 'UNSUPPORTED', 'ACCESS_DENIED'])

/** Stores it. What cannot be read is a sentence that says why. */
export async function storeSmallFile(
  files: DatastoreFiles,
  { name, fileName, what }: SmallFile,
  sink: BackupSink,
  options: CallOptions,
): Promise<Receipt | string> {
  let bytes: Uint8Array
  try {
    bytes = await files.readWhole({ file: parseDatastorePath(fileName), what }, longestSmallFile, options)
  } catch (error) {
    if (!HoldfastError.isInstance(error) || !mayBeMissing.has(codeOf(error) ?? '')) throw error
    return `${textOfPath(parseDatastorePath(fileName))} could not be read: ${error.message}`
  }
  return sink.stream({ format: 'bytes', name, open: async () => bytesOf(bytes) })
}
