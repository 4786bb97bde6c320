import type { StoredFileEntry } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Reading } from './reading.ts'
import { openFile, wholeFile } from './stored-bytes.ts'

/**
 * Reads a file of a point to its end.
 * @throws POINT_DAMAGED: it is missing or of another length. CHECKSUM_MISMATCH. What the repository throws passes through.
 */
export async function checkFile(reading: Reading, folder: string, entry: StoredFileEntry, options: CallOptions): Promise<void> {
  const scope = reading.scope(`checking ${folder}/${entry.path}`, options)
  try {
    const file = await openFile(reading.repository, folder, entry, scope)
    try {
      for await (const _ of wholeFile(file, scope));
    } finally {
      await file[Symbol.asyncDispose]()
    }
  } finally {
    scope.close()
  }
}
