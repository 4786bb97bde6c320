import type { StreamItem as StreamEntry } from '../model/manifest.ts'
import type { CallOptions, MappedBlocks } from '../spec/blocks.ts'
import type { StoredDisk, StoredFile } from '../spec/restore.ts'
import { namingFile } from './damage.ts'
import { disposedOnFailure } from './disk-layers.ts'
import { guardedBlocks, guardedSource } from './guarded-blocks.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { type OpenFile, openFile, wholeFile } from './stored-bytes.ts'
import { closingScope } from './stored-disk.ts'
import { openVmdkOfDisk } from './vmdk-of-disk.ts'

/** The entry of a VMDK that was kept as it came. */
export type VmdkEntry = StreamEntry & { readonly disk: NonNullable<StreamEntry['disk']> }

const noFlow = { pass: () => undefined }

/** A disk that was kept as the VMDK in which it came, for the provider: as a file, or read by position. */
export function receivedDisk(entry: VmdkEntry, folder: string, file: StoredFile, reading: Reading): StoredDisk {
  const { key, name, size } = entry.disk

  async function open(options: CallOptions): Promise<MappedBlocks> {
    const scope = reading.scope(`disk ${name}`, options)
    try {
      const stored = await openFile(reading.repository, folder, entry.file, scope)
      const image = await disposedOnFailure(stored, () => namingFile(stored.path, () => provenImage(stored, size, scope)))
      reading.meter.expect(size)
      const named: MappedBlocks = {
        ...image,
        readInto: (target, offset, given) => namingFile(stored.path, () => image.readInto(target, offset, given)),
      }
      return closingScope(guardedBlocks(named, scope, reading.flow), scope)
    } catch (error) {
      scope.close()
      throw error
    }
  }

  return { key, name, size, file, open, openChanges: async () => undefined }
}

/** Its grains carry checksums against decay only, so the whole file is compared with its recorded hash first. */
async function provenImage(stored: OpenFile, size: number, scope: Scope): Promise<MappedBlocks> {
  for await (const _ of wholeFile(stored, scope));
  return openVmdkOfDisk(guardedSource(stored.bytes, scope, noFlow), size, { signal: scope.signal })
}
