import { decodeFlags, encodeFlag, type FlagName, type FlagsRead, flagMembers, flagNames } from '../../model/flags.ts'
import { flagPath } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { bytesOf } from '../../spec/helpers/index.ts'
import type { Repository } from '../../spec/repository.ts'
import type { Flags, Lease, ManifestRef } from '../../spec/store.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { readSmallFile } from './point-folder.ts'

export type FlagPatch = { readonly [Name in keyof Flags]: Flags[Name] | null }

/** All flag files of a point, as they lie in the repository. */
export async function readPointFlags(repository: Repository, folder: string, options: CallOptions): Promise<FlagsRead> {
  const files: { [flag in FlagName]?: Uint8Array } = {}
  for (const flag of flagNames) {
    const bytes = await readSmallFile(repository, flagPath(folder, flag), options)
    if (bytes !== undefined) files[flag] = bytes
  }
  return decodeFlags(folder, files)
}

/**
 * Sets and removes flags. Acknowledged means durable in the repository (rule pin-in-repository): setting goes store, then file; removing file, then
 * store. So whoever dies in between leaves a flag too many, never one too few. Throws POINT_CONDEMNED when the point is being deleted.
 */
export async function changeFlags(
  parts: EngineParts,
  where: { readonly repository: string; readonly folder: string },
  patch: FlagPatch,
  options: CallOptions & { readonly lease?: Lease },
): Promise<void> {
  const storage = repositoryNamed(parts, where.repository)
  const set: { [name: string]: unknown } = {}
  const removed: { [name: string]: null } = {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) removed[name] = null
    else if (value !== undefined) set[name] = value
  }
  if (Object.keys(set).length > 0) {
    await parts.store.points.flag(where.repository, where.folder, set as FlagPatch, options)
    for (const flag of flagNames) {
      if (!(flagMembers[flag] in set)) continue
      const bytes = encodeFlag(where.folder, flag, set as Flags)
      if (bytes) await storage.put(flagPath(where.folder, flag), bytesOf(bytes), { signal: options.signal, size: bytes.length })
    }
  }
  if (Object.keys(removed).length > 0) {
    for (const flag of flagNames) if (flagMembers[flag] in removed) await storage.delete(flagPath(where.folder, flag), options)
    await parts.store.points.flag(where.repository, where.folder, removed as FlagPatch, options)
  }
}

/** A number of a point, and the workload it is of. */
export type NumberOfPoint = ManifestRef & { readonly workload: string }

/** False: the point has been written anew since, or is being written anew. Its flags are those of the point, whatever its number. */
export async function isCurrentNumber(
  { store }: EngineParts,
  { repository, folder, number, workload }: NumberOfPoint,
  options: CallOptions,
): Promise<boolean> {
  const { points, inUse } = await store.points.catalog(repository, workload, options)
  const isNewer = (each: ManifestRef) => each.repository === repository && each.folder === folder && each.number > number
  return ![...points, ...inUse].some(isNewer)
}

/**
 * {@link markVerified} for what was read of one number. One that was written meanwhile has not been read: then the note is not made, or taken back. Whoever
 * writes anew takes the note off first, so nobody is left with one that he did not earn.
 */
export async function noteVerified(
  parts: EngineParts,
  read: NumberOfPoint,
  verifiedAt: number,
  options: CallOptions & { readonly lease: Lease },
): Promise<void> {
  if (!(await isCurrentNumber(parts, read, options))) return
  await markVerified(parts, read, verifiedAt, options)
  if (!(await isCurrentNumber(parts, read, options))) await changeFlags(parts, read, { verifiedAt: null }, options)
}

/**
 * Notes that every byte of a point was read and is good. File, then store: this flag protects nothing, and one that only the repository has is no loss,
 * while one that only the catalog has looks like damage to the next verification.
 */
async function markVerified(
  parts: EngineParts,
  where: { readonly repository: string; readonly folder: string },
  verifiedAt: number,
  options: CallOptions & { readonly lease: Lease },
): Promise<void> {
  const bytes = encodeFlag(where.folder, 'verified', { verifiedAt })
  if (bytes) {
    const path = flagPath(where.folder, 'verified')
    await repositoryNamed(parts, where.repository).put(path, bytesOf(bytes), { signal: options.signal, size: bytes.length })
  }
  await parts.store.points.flag(where.repository, where.folder, { verifiedAt }, options)
}
