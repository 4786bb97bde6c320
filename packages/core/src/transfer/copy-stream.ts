import { basename } from 'node:path/posix'
import type { Manifest, StoredFileEntry, StreamItem } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { waiting } from './chunks.ts'
import { disposedAfter } from './disk-layers.ts'
import { putFile, type Target } from './put-file.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { openFile, wholeFile } from './stored-bytes.ts'

/** Copies a stream as it is stored, file by file. Each is compared with its recorded hash before its last byte is given, so no rot is copied. */
export async function copyStream(
  from: Pick<Manifest, 'folder'>,
  item: StreamItem,
  reading: Reading,
  target: Target,
  options: CallOptions,
): Promise<StreamItem> {
  const scope = reading.scope(item.name, options)
  try {
    const copy = (entry: StoredFileEntry) => copyFile(from.folder, entry, reading, target, scope)
    const { file, index, sums } = item
    for (const each of [file, index, sums]) reading.meter.expect(each?.size ?? 0)
    return {
      ...item,
      file: await copy(file),
      ...(index && { index: await copy(index) }),
      ...(sums && { sums: await copy(sums) }),
    }
  } finally {
    scope.close()
  }
}

async function copyFile(
  folder: string,
  entry: StoredFileEntry,
  reading: Reading,
  target: Target,
  scope: Scope,
): Promise<Required<StoredFileEntry>> {
  const file = await openFile(reading.repository, folder, entry, scope)
  const counted = async function* () {
    for await (const chunk of wholeFile(file, scope)) {
      const held = reading.flow.pass(chunk.length, scope)
      if (held !== undefined) await waiting(held, scope)
      yield chunk
    }
  }
  return await disposedAfter(file, () => putFile(target, basename(entry.path), counted(), scope, entry.size))
}
