import { createHash } from 'node:crypto'
import { type ByteStream, bytesOf, type CallOptions, HoldfastError, pullFrom } from '@holdfast/core/spec'
import { manifestBytes, writeManifest } from './manifest.ts'
import { endOfArchive, paddingOf, tarBlock, ustarHeader } from './ustar.ts'

/** A file that goes into the archive. */
export interface PackedFile {
  readonly name: string
  /** Exact bytes. */
  readonly size: number
  /** Lower-case hex, where it is known and `open` proves it; otherwise it is made while the bytes pass. */
  readonly sha256?: string
  open(options: CallOptions): Promise<ByteStream>
}

/** An archive that is laid out. */
export interface Packed {
  readonly size: number
  /** Every entry, the manifest last. */
  readonly entries: readonly { readonly name: string; readonly size: number }[]
  open(options: CallOptions): ByteStream
}

/** The bytes of one file; never more, never fewer than its header says. Its sum is there when it has ended. */
async function* contentOf(file: PackedFile, sums: Map<string, string>, options: CallOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const stream = await file.open(options)
  const pull = pullFrom(stream, options)
  const hash = file.sha256 === undefined ? createHash('sha256') : undefined
  let count = 0
  const wrong = () => new HoldfastError('POINT_DAMAGED', `${file.name} has ${count} bytes or more where ${file.size} were announced`)
  try {
    for (let chunk = await pull.next(); chunk !== undefined; chunk = await pull.next()) {
      count += chunk.length
      if (count > file.size) throw wrong()
      hash?.update(chunk)
      yield chunk
    }
    if (count !== file.size) throw wrong()
  } finally {
    pull.close()
    const closed = Promise.resolve(stream[Symbol.asyncDispose]?.())
    // A generator that hangs in its source would let an abort wait for it.
    if (options.signal.aborted) closed.catch(() => undefined)
    else await closed
  }
  sums.set(file.name, file.sha256 ?? (hash?.digest('hex') as string))
}

async function* packed(
  files: readonly PackedFile[],
  manifest: string,
  modified: number,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const sums = new Map<string, string>()
  for (const file of files) {
    yield ustarHeader({ name: file.name, size: file.size, modified })
    yield* contentOf(file, sums, options)
    yield new Uint8Array(paddingOf(file.size))
  }
  const text = writeManifest(files.map(({ name }) => ({ name, algorithm: 'SHA256', digest: sums.get(name) ?? '' })))
  const bytes = new TextEncoder().encode(text)
  yield ustarHeader({ name: manifest, size: bytes.length, modified })
  yield* bytesOf(bytes)
  yield new Uint8Array(paddingOf(bytes.length))
  yield endOfArchive()
}

/**
 * Files as a USTAR archive with a manifest of SHA-256 behind them, packed while it is read. The sum of a disk that is put together from a chain is known only
 * when it has passed, and the standard lets the manifest stand second or last: so it is last. Source: DSP0243, "Distribution as a single file".
 * @throws UNSUPPORTED: a name of more than 100 bytes. POINT_DAMAGED: two of one name; while it is read, a file of another length than announced.
 */
export function packOva(
  files: readonly PackedFile[],
  { manifest, modified }: { readonly manifest: string; readonly modified: number },
): Packed {
  const size = manifestBytes(files.map(({ name }) => ({ name, algorithm: 'SHA256' })))
  const entries = [...files.map(({ name, size: bytes }) => ({ name, size: bytes })), { name: manifest, size }]
  const twice = entries.find(({ name }, index) => entries.findIndex((each) => each.name === name) !== index)
  if (twice !== undefined) throw new HoldfastError('POINT_DAMAGED', `two files of the package are called ${twice.name}`)
  // Names are looked at before the first byte.
  for (const entry of entries) ustarHeader({ ...entry, modified })
  return {
    size: entries.reduce((sum, entry) => sum + tarBlock + entry.size + paddingOf(entry.size), endOfArchive().length),
    entries,
    open: ({ signal }) => packed(files, manifest, modified, { signal }),
  }
}
