import { basename } from 'node:path/posix'
import { diskEntriesOf } from '../../model/disk-entries.ts'
import type { DiskItem, Manifest } from '../../model/manifest.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'
import type { ManifestRef } from '../../spec/store.ts'

/** What a point was where it is written anew. */
export interface FormerPoint {
  /** The newest manifest that can be read. */
  readonly manifest?: Manifest
  /** There was one that cannot be read: what it called its disks is not known. */
  readonly isUnknown: boolean
}

/**
 * Every path, relative to the point's folder, by which a child may name this disk as its backing file: what the old manifest says, and where one cannot be
 * read, the name of the new file below each lower number that has a file or an alias of that name. After prune each of them is an alias of the new file.
 */
export async function formerNames(
  to: ManifestRef & { readonly storage: Repository },
  { manifest, isUnknown }: FormerPoint,
  made: DiskItem,
  options: CallOptions,
): Promise<readonly string[]> {
  const before = manifest && diskEntriesOf(manifest).find(({ disk }) => disk.key === made.disk.key)
  const names = new Set(before && [...(before.replaces ?? []), before.file.path])
  for (let number = 1; isUnknown && number < to.number; number++) {
    const name = `${number}/${basename(made.file.path)}`
    if (await isTaken(to.storage, `${to.folder}/${name}`, options)) names.add(name)
  }
  return [...names]
}

/** Only NOT_FOUND says that nothing has this name: an alias is refused, and a file that was found bad may not open. */
async function isTaken(storage: Repository, path: string, options: CallOptions): Promise<boolean> {
  try {
    const file = await storage.open(path, options)
    await file[Symbol.asyncDispose]()
    return true
  } catch (error) {
    if (options.signal.aborted) throw error
    return codeOf(error) !== 'NOT_FOUND'
  }
}
