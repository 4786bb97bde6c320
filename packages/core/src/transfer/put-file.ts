import type { StoredFileEntry } from '../model/manifest.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import { measured } from './chunks.ts'
import type { Scope } from './scope.ts'

/** Where a number's files go. */
export interface Target {
  readonly repository: Repository
  /** `<workload folder>/<point folder>`. */
  readonly folder: string
  readonly number: number
}

/** Relative to the point's folder, as in manifests. */
export const itemPath = (target: Target, name: string): string => `${target.number}/${name}`
export const repositoryPath = (folder: string, path: string): string => `${folder}/${path}`

/** Puts one file of the number and says what lies there now. Rejects with EXISTS when the name is taken: no path is used twice. */
export async function putFile(
  target: Target,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  scope: Scope,
  size?: number,
): Promise<Required<StoredFileEntry>> {
  const { chunks: bytes, measure } = measured(watched(chunks, scope))
  const stored = await putBytes(target, name, bytes, scope, size)
  if (measure.sha256 === '') throw unread(target, name)
  if (stored.sha256 === undefined && stored.size !== measure.size) throw miscounted(target, name, stored.size, measure.size)
  return { path: itemPath(target, name), size: stored.size, sha256: stored.sha256 ?? measure.sha256 }
}

/**
 * As {@link putFile} for bytes that are hashed elsewhere: the caller checks the size. EXISTS is retryable here: a network may have repeated our own
 * request, or a late request of a lost attempt took the name; the next attempt writes under the next number.
 */
export async function putBytes(
  target: Target,
  name: string,
  chunks: AsyncIterable<Uint8Array>,
  scope: Scope,
  size?: number,
): Promise<{ readonly size: number; readonly sha256?: string }> {
  const path = repositoryPath(target.folder, itemPath(target, name))
  const options = { signal: scope.signal, ifAbsent: true, ...(size !== undefined && { size }) }
  try {
    return await target.repository.put(path, chunks, options)
  } catch (error) {
    if (codeOf(error) !== 'EXISTS') throw error
    throw new HoldfastError('EXISTS', `${path} was written already: by a repeated request of this attempt or by a lost one.`, {
      cause: error,
      details: { path },
      retryable: true,
    })
  }
}

/** A repository that takes no bytes any more counts as stalled; making what it took durable may last. */
export async function* watched(chunks: AsyncIterable<Uint8Array>, scope: Scope): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    scope.touch()
    yield chunk
    scope.touch()
  }
}

export const unread = (target: Target, name: string): HoldfastError =>
  new HoldfastError(
    'INTERNAL',
    `the repository says that ${repositoryPath(target.folder, itemPath(target, name))} is stored, but did not read it to its end`,
  )

export const miscounted = (target: Target, name: string, stored: number, given: number): HoldfastError =>
  new HoldfastError(
    'INTERNAL',
    `${repositoryPath(target.folder, itemPath(target, name))}: ${given} bytes were given, the repository stored ${stored}`,
  )
