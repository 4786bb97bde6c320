import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { BlockSource, CallOptions } from './blocks.ts'
import { checkRange } from './clusters.ts'
import { DiskImageError } from './errors.ts'

function readFailed(path: string, cause: unknown): DiskImageError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  if (code === 'ENOENT') return new DiskImageError('NOT_FOUND', `there is no file ${path}`, { cause, details: { path } })
  return new DiskImageError('READ_FAILED', `${path} cannot be read: ${code}`, { cause, details: { path, code } })
}

async function readFully(file: FileHandle, path: string, target: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, offset + done).catch((cause: unknown) => {
      throw readFailed(path, cause)
    })
    if (bytesRead === 0) {
      throw new DiskImageError('TRUNCATED', `${path} ended at ${offset + done}, in the middle of a read: it shrank`, {
        details: { path, offset: offset + done },
      })
    }
    done += bytesRead
  }
}

/**
 * A file read by position. Its size is taken once, when it is opened. Up to four reads at once; each may be repeated.
 * @throws NOT_FOUND, READ_FAILED, INVALID_OPTIONS (not a regular file); reads: TRUNCATED when the file shrank. An aborted signal rejects with its reason; a read that the system has begun is finished first.
 */
export async function fileBlocks(path: string, options: CallOptions): Promise<BlockSource> {
  options.signal.throwIfAborted()
  const file = await open(path, constants.O_RDONLY).catch((cause: unknown) => {
    throw readFailed(path, cause)
  })
  try {
    const about = await file.stat()
    if (!about.isFile()) throw new DiskImageError('INVALID_OPTIONS', `${path} is not a regular file`, { details: { path } })
    const { size } = about
    return {
      size,
      readers: 4,
      async readInto(target, offset, { signal }) {
        checkRange(size, offset, target.length)
        signal.throwIfAborted()
        await readFully(file, path, target, offset)
      },
      [Symbol.asyncDispose]: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
