import type { FileHandle } from 'node:fs/promises'
import type { CallOptions } from '../../blocks.ts'

/** Where a packed image goes: a new, empty file that is written by position. One write at a time; every byte up to the end of the file is written once. */
export interface PackTarget {
  /** Writes all of `bytes` at `offset` of the file, or rejects. The bytes are lent until it resolves. */
  write(bytes: Uint8Array, offset: number, options: CallOptions): Promise<void>
}

/** An open file as a target. The handle stays the caller's, who also makes it durable. Its errors are those of the system, as they are. */
export function fileTarget(file: Pick<FileHandle, 'write'>): PackTarget {
  return {
    async write(bytes, offset, { signal }) {
      for (let done = 0; done < bytes.length; ) {
        signal.throwIfAborted()
        const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done)
        done += bytesWritten
      }
    },
  }
}
