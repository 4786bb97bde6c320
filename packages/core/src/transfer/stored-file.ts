import type { StreamItem as StreamEntry } from '../model/manifest.ts'
import type { ByteStream, CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { ArchiveEntry, StoredFile } from '../spec/restore.ts'
import { namingFileIn } from './damage.ts'
import { readIndex } from './entry-index.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { type OpenFile, openFile, partOfFile, streamBytes, unpacked } from './stored-bytes.ts'

/** A stream of the point, for the provider. */
export function storedFile(entry: StreamEntry, folder: string, reading: Reading): StoredFile {
  const { name, format, size, sha256, index } = entry

  async function open(options: CallOptions & { readonly start?: number; readonly end?: number }): Promise<ByteStream> {
    const { start = 0, end = size } = options
    if (!(start >= 0 && start <= end && end <= size))
      throw new HoldfastError('INVALID_OPTIONS', `${name}: bytes ${start} to ${end} of a stream of ${size} bytes`)
    const scope = reading.scope(name, options)
    try {
      const file = await openFile(reading.repository, folder, entry.file, scope)
      reading.meter.expect(end - start)
      return readerOf(rangeOf(file, entry, start, end, scope), file, scope, reading)
    } catch (error) {
      scope.close()
      throw error
    }
  }

  async function* entries(options: CallOptions): AsyncGenerator<ArchiveEntry, void, undefined> {
    if (index === undefined) return
    const scope = reading.scope(`${name}.index`, options)
    let file: OpenFile | undefined
    try {
      file = await openFile(reading.repository, folder, index, scope)
      yield* namingFileIn(file.path, readIndex(unpacked(file, entry.form, scope), file.path))
    } finally {
      await file?.[Symbol.asyncDispose]()
      scope.close()
    }
  }

  return { name, format, size, sha256, open, ...(index !== undefined && { entries }) }
}

async function* rangeOf(
  file: OpenFile,
  entry: StreamEntry,
  start: number,
  end: number,
  scope: Scope,
): AsyncGenerator<Uint8Array, void, undefined> {
  const whole = start === 0 && end === entry.size
  if (!whole && entry.form === 'kept') return yield* partOfFile(file, start, end, scope)
  let position = 0
  for await (const chunk of streamBytes(file, entry, scope)) {
    const from = Math.max(0, start - position)
    const part = chunk.subarray(from, end - position)
    position += chunk.length
    if (part.length > 0 && from < chunk.length) yield part
    // A part that ends before the end is not proven; one that reaches the end is, because everything before it was read.
    if (position >= end && end < entry.size) return
  }
}

/** What the provider reads. Closed at its end, when the provider stops, and by dispose, also when it was never read. */
function readerOf(chunks: AsyncGenerator<Uint8Array, void, undefined>, file: OpenFile, scope: Scope, reading: Reading): ByteStream {
  const release = async () => {
    await file[Symbol.asyncDispose]()
    scope.close()
  }
  async function* read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of namingFileIn(file.path, chunks)) {
        const held = reading.flow.pass(chunk.length, scope)
        if (held !== undefined) await scope.race(held)
        yield chunk
        // What is decompressed already must not go on after an abort.
        if (scope.signal.aborted) throw scope.failure
      }
    } finally {
      await release()
    }
  }
  const reader = read()
  return {
    [Symbol.asyncIterator]: () => reader,
    async [Symbol.asyncDispose]() {
      scope.fail(new HoldfastError('ABORTED', `${file.path}: the reader has closed the stream`))
      await reader.return()
      await release()
    },
  }
}
