import { createHash } from 'node:crypto'
import type { StoredFileEntry, StreamItem as StreamEntry } from '../model/manifest.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Repository, StoredBytes } from '../spec/repository.ts'
import { iterate } from './chunks.ts'
import { decompressed, type StreamForm } from './compression.ts'
import { namingFile } from './damage.ts'
import { openOnce } from './open-once.ts'
import type { Scope } from './scope.ts'

/** A file of a point, opened; its size is the recorded one. */
export interface OpenFile extends AsyncDisposable {
  /** In the repository. */
  readonly path: string
  readonly entry: StoredFileEntry
  readonly bytes: StoredBytes
}

/** Rejects with POINT_DAMAGED when the file is missing or has another size. */
export async function openFile(repository: Repository, folder: string, entry: StoredFileEntry, scope: Scope): Promise<OpenFile> {
  const path = `${folder}/${entry.path}`
  const bytes = await namingFile(path, () => openOnce(() => repository.open(path, { signal: scope.signal }), scope))
  let disposed: Promise<void> | undefined
  const dispose = () => {
    disposed ??= scope.settle(Promise.resolve(bytes[Symbol.asyncDispose]()))
    return disposed
  }
  if (bytes.size !== entry.size) {
    await dispose()
    throw new HoldfastError('POINT_DAMAGED', `${path}: the file has ${bytes.size} bytes, the manifest says ${entry.size}`)
  }
  return { path, entry, bytes, [Symbol.asyncDispose]: dispose }
}

/** Ends with CHECKSUM_MISMATCH, before the last chunk is given, unless these are exactly the recorded bytes. Chunks are lent. */
export async function* wholeFile(file: OpenFile, scope: Scope): AsyncGenerator<Uint8Array, void, undefined> {
  const { path, entry } = file
  const hash = createHash('sha256')
  let size = 0
  const check = () => {
    const sha256 = hash.digest('hex')
    if (sha256 !== entry.sha256) throw mismatch(path, sha256, entry.sha256)
  }
  if (entry.size === 0) check()
  for await (const chunk of iterate(file.bytes.stream({ start: 0, end: entry.size }, { signal: scope.signal }), scope)) {
    hash.update(chunk)
    size += chunk.length
    if (size > entry.size) throw wrongLength(path, size, entry.size)
    if (size === entry.size && chunk.length > 0) check()
    yield chunk
  }
  if (size !== entry.size) throw wrongLength(path, size, entry.size)
}

/** The bytes from `start` to `end` of a stored file, unproven: only the whole has a hash. */
export async function* partOfFile(file: OpenFile, start: number, end: number, scope: Scope): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0
  for await (const chunk of iterate(file.bytes.stream({ start, end }, { signal: scope.signal }), scope)) {
    size += chunk.length
    yield chunk
  }
  if (size !== end - start) throw wrongLength(file.path, size, end - start)
}

/** A stored file, decompressed. Stored bytes are proven on the way. */
export function unpacked(file: OpenFile, form: StreamForm, scope: Scope): AsyncIterable<Uint8Array> {
  const chunks = wholeFile(file, scope)
  return form === 'kept' ? chunks : decompressed(chunks, form)
}

/** The bytes of a stream as they came, proven: ends with CHECKSUM_MISMATCH before the last chunk is given when they are not. */
export async function* streamBytes(file: OpenFile, entry: StreamEntry, scope: Scope): AsyncGenerator<Uint8Array, void, undefined> {
  if (entry.form === 'kept' && entry.sha256 === entry.file.sha256 && entry.size === entry.file.size) {
    yield* wholeFile(file, scope)
    return
  }
  const hash = createHash('sha256')
  let size = 0
  // The decompressor's chunks are ours, so one can wait until the next, or the end and with it the proof, has come.
  let held: Uint8Array | undefined
  for await (const chunk of unpacked(file, entry.form, scope)) {
    if (held !== undefined) yield held
    hash.update(chunk)
    size += chunk.length
    if (size > entry.size) throw wrongLength(file.path, size, entry.size)
    held = entry.form === 'kept' ? Buffer.from(chunk) : chunk
  }
  if (size !== entry.size) throw wrongLength(file.path, size, entry.size)
  const sha256 = hash.digest('hex')
  if (sha256 !== entry.sha256) throw mismatch(file.path, sha256, entry.sha256)
  if (held !== undefined) yield held
}

export const mismatch = (path: string, found: string, recorded: string | undefined): HoldfastError =>
  new HoldfastError('CHECKSUM_MISMATCH', `${path}: the SHA-256 of its bytes is ${found}, the manifest says ${recorded ?? 'nothing'}`)

const wrongLength = (path: string, found: number, recorded: number): HoldfastError =>
  new HoldfastError('POINT_DAMAGED', `${path}: ${found} bytes were read where ${recorded} should be`)
