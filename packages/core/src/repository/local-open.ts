import type { ByteStream, CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { OpenFile } from '../spec/file-system.ts'
import { abortError, throwIfAborted } from '../spec/helpers/index.ts'
import type { StoredBytes } from '../spec/repository.ts'
import type { LocalFolder } from './local-folder.ts'
import { folderOf } from './paths.ts'
import { isAbsent, readError } from './repository-errors.ts'

const readBytes = 1 << 20

/** See `open` of the Repository contract. */
export async function localOpen(folder: LocalFolder, path: string, options: CallOptions): Promise<StoredBytes> {
  throwIfAborted(options.signal)
  const file = await openFile(folder, path)
  try {
    const { kind, size } = await file.stat()
    if (kind !== 'file') throw notFound(folder, path, 'it is no file')
    return storedBytes(file, size, path, (error) => readError(error, folder.root, `read '${path}'`))
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

async function openFile(folder: LocalFolder, path: string): Promise<OpenFile> {
  try {
    await folder.enter(folderOf(path))
    return await folder.fileSystem.open(folder.at(path), 'read')
  } catch (error) {
    if (!isAbsent(error)) throw error
    // Proof of absence only while the repository itself is there.
    await folder.enter('')
    throw notFound(folder, path, 'there is no such file', error)
  }
}

function notFound(folder: LocalFolder, path: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('NOT_FOUND', `cannot open '${path}' in the repository at ${folder.root}: ${reason}`, {
    cause,
    details: { path },
  })
}

function storedBytes(file: OpenFile, size: number, path: string, mapped: (error: unknown) => unknown): StoredBytes {
  async function fill(target: Uint8Array, offset: number, { signal }: CallOptions): Promise<void> {
    for (let done = 0; done < target.length; ) {
      throwIfAborted(signal)
      const count = await file.read(target.subarray(done), offset + done).catch((error: unknown) => {
        throw mapped(error)
      })
      if (count === 0) throw short(path, offset + target.length, offset + done)
      done += count
    }
  }
  return {
    size,
    readers: 4,
    readBytes,
    async readInto(target, offset, options) {
      checkRange(path, size, offset, offset + target.length)
      await fill(target, offset, options)
    },
    stream({ start, end }, options) {
      checkRange(path, size, start, end)
      return readAhead(start, end, fill, options)
    },
    async [Symbol.asyncDispose]() {
      await file.close()
    },
  }
}

function checkRange(path: string, size: number, start: number, end: number): void {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new HoldfastError('INVALID_OPTIONS', `cannot read bytes ${start} to ${end} of '${path}': that is no range`)
  }
  if (end > size) throw short(path, end, size)
}

function short(path: string, expected: number, size: number): HoldfastError {
  return new HoldfastError('TRUNCATED', `'${path}' holds ${size} bytes where ${expected} were expected`, {
    retryable: false,
    remedy: 'The file was cut after it was written: run verify on the repository and check its disks.',
    details: { path, expected, size },
  })
}

/** Two buffers take turns: while the reader works on one, the other is filled. */
async function* readAhead(
  start: number,
  end: number,
  fill: (target: Uint8Array, offset: number, options: CallOptions) => Promise<void>,
  options: CallOptions,
): ByteStream & AsyncGenerator<Uint8Array, void, undefined> {
  const length = Math.min(readBytes, end - start)
  const buffers = [new Uint8Array(length), new Uint8Array(Math.min(length, end - start - length))]
  let turn = 0
  const read = (offset: number): Promise<Uint8Array> | undefined => {
    if (offset >= end) return undefined
    const target = (buffers[turn] as Uint8Array).subarray(0, Math.min(readBytes, end - offset))
    turn = 1 - turn
    const filled = fill(target, offset, options).then(() => target)
    // It may fail while the reader is still busy with the other buffer; then it is told when he comes back.
    filled.catch(() => undefined)
    return filled
  }
  let pending = read(start)
  try {
    for (let offset = start; pending !== undefined; ) {
      const chunk: Uint8Array = await pending
      offset += chunk.length
      pending = read(offset)
      yield chunk
      if (options.signal.aborted) throw abortError(options.signal)
    }
  } finally {
    await pending?.catch(() => undefined)
  }
}
