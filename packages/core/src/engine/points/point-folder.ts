import type { Manifest } from '../../model/manifest.ts'
import { decodeManifest } from '../../model/manifest.ts'
import { highestNumber, manifestPath, parseRepositoryPath } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { codeOf, HoldfastError } from '../../spec/errors.ts'
import { bytesOf, collectBytes } from '../../spec/helpers/bytes.ts'
import type { Repository } from '../../spec/repository.ts'
import type { ManifestRef } from '../../spec/store.ts'

/** No manifest of ours is larger; a larger file is not read into memory. */
const manifestLimit = 64 * 1024 * 1024

/** What an exact read of `manifest.<n>.json` says. Only `absent` is proof of absence, only `dead` and `live` decide a number. */
export type NumberState =
  | { readonly state: 'absent' }
  /** Empty: the number was given up. */
  | { readonly state: 'dead' }
  | { readonly state: 'live'; readonly manifest: Manifest; readonly bytes: Uint8Array }
  /** Neither a point nor a licence to delete. */
  | { readonly state: 'damaged'; readonly error: HoldfastError }

/** The whole content of a small file, or undefined if the name is proven absent. */
export async function readSmallFile(repository: Repository, path: string, options: CallOptions): Promise<Uint8Array | undefined> {
  try {
    const file = await repository.open(path, options)
    try {
      if (file.size > manifestLimit)
        throw new HoldfastError('POINT_DAMAGED', `${path} has ${file.size} bytes: no file of this kind is so large.`)
      return await collectBytes(file.stream({ start: 0, end: file.size }, options), manifestLimit, path)
    } finally {
      await file[Symbol.asyncDispose]()
    }
  } catch (error) {
    if (codeOf(error) === 'NOT_FOUND') return undefined
    throw error
  }
}

/** What the bytes themselves are accused of; everything else says nothing about the number. */
const aboutContents: ReadonlySet<string> = new Set(['POINT_DAMAGED', 'UNSUPPORTED_FORMAT'])

export async function readNumber(repository: Repository, reference: ManifestRef, options: CallOptions): Promise<NumberState> {
  try {
    const bytes = await readSmallFile(repository, manifestPath(reference.folder, reference.number), options)
    if (bytes === undefined) return { state: 'absent' }
    if (bytes.length === 0) return { state: 'dead' }
    const manifest = decodeManifest(bytes, { folder: reference.folder, number: reference.number })
    return { state: 'live', manifest, bytes }
  } catch (error) {
    if (!HoldfastError.isInstance(error) || !aboutContents.has(error.code)) throw error
    return { state: 'damaged', error }
  }
}

/** What a listing of one point's folder shows. It may lag behind, so it proves presence only. */
export interface FolderView {
  /** Numbers whose manifest is visible, ascending. */
  readonly manifests: readonly number[]
  /** Numbers that have files, ascending. */
  readonly withFiles: readonly number[]
  /** Highest number seen in any form; 0 when there is none. */
  readonly highest: number
  readonly files: readonly { readonly path: string; readonly size: number; readonly ageMs: number }[]
}

export async function viewFolder(repository: Repository, folder: string, options: CallOptions): Promise<FolderView> {
  const manifests = new Set<number>()
  const withFiles = new Set<number>()
  const files: { path: string; size: number; ageMs: number }[] = []
  for await (const file of repository.list(`${folder}/`, options)) {
    files.push(file)
    const parsed = parseRepositoryPath(file.path)
    if (parsed.kind === 'manifest') manifests.add(parsed.number)
    else if (parsed.kind === 'data') withFiles.add(parsed.number)
  }
  const ascending = (numbers: Set<number>) => [...numbers].sort((a, b) => a - b)
  return { manifests: ascending(manifests), withFiles: ascending(withFiles), highest: Math.max(0, ...manifests, ...withFiles), files }
}

/** Gives the number up for good by taking its name with an empty manifest. Whatever stands there afterwards is the decision. */
export async function decideNumber(repository: Repository, reference: ManifestRef, options: CallOptions): Promise<NumberState> {
  const path = manifestPath(reference.folder, reference.number)
  try {
    await repository.put(path, bytesOf(new Uint8Array(0)), { ...options, size: 0, ifAbsent: true })
  } catch (error) {
    // EXISTS: somebody decided before. Anything else: the write may have happened all the same, so the name is read.
    const seen = await readNumber(repository, reference, options)
    if (seen.state === 'absent') throw error
    await repository.sync(reference.folder, options)
    return seen
  }
  return { state: 'dead' }
}

/** What exact reads say of a run's own folder. */
export interface Survey {
  /** The point, if it is there: the valid manifest with the highest number. */
  readonly committed?: { readonly reference: ManifestRef; readonly manifest: Manifest }
  /** A manifest of the folder cannot be read: what its number held is not known. */
  readonly hasDamaged: boolean
  /** The first number above all that were ever seen, its manifest proven absent. Above the highest there is when all are taken: nobody may aim at that. */
  readonly next: number
}

/**
 * Reads the manifest of every number from 1 up to the first absent one above all that a listing or the catalog knows. A listing may lag behind, so it
 * only says how far to look: what it hides must neither be committed a second time nor reused.
 */
export async function surveyFolder(
  repository: Repository,
  where: Omit<ManifestRef, 'number'>,
  known: number,
  options: CallOptions,
): Promise<Survey> {
  const { highest } = await viewFolder(repository, where.folder, options)
  const last = Math.max(highest, known)
  let committed: Survey['committed']
  let hasDamaged = false
  let next = 1
  for (; next <= highestNumber; next++) {
    const reference = { ...where, number: next }
    const seen = await readNumber(repository, reference, options)
    if (seen.state === 'live') committed = { reference, manifest: seen.manifest }
    if (seen.state === 'damaged') hasDamaged = true
    if (seen.state === 'absent' && next > last) break
  }
  return { next, hasDamaged, ...(committed && { committed }) }
}
