import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { codeOf } from '../spec/errors.ts'

/** What direct writes must be whole multiples of; every disk in use is content with it. */
const blockBytes = 4096
/** Smaller writes are not worth a trip to the disk of their own. */
const worthBytes = 256 << 10

/** Writes at the end of one file, and closes what it opened besides. */
export interface Writer {
  write(bytes: Uint8Array): Promise<number>
  close(): Promise<void>
}

/**
 * Writes large aligned chunks past the page cache (`O_DIRECT`), all others through it. A backup is written once and not read again soon: the cache
 * belongs to the machines beside us, and copying into it costs more than the disk. Where the file system or the buffer does not allow it (EINVAL) the
 * file goes on buffered. Sync still has to follow: direct writes may rest in the disk's own cache.
 */
export function directWriter(handle: FileHandle, path: string): Writer {
  let position = 0
  let direct: FileHandle | undefined
  let allowed = constants.O_DIRECT !== undefined

  async function tryDirect(bytes: Uint8Array): Promise<number | undefined> {
    try {
      direct ??= await open(path, constants.O_WRONLY | constants.O_DIRECT | constants.O_NOFOLLOW)
      const { bytesWritten } = await direct.write(bytes, 0, bytes.length, position)
      return bytesWritten
    } catch (error) {
      if (codeOf(error) !== 'EINVAL') throw error
      allowed = false
      return undefined
    }
  }

  return {
    async write(bytes) {
      const aligned = bytes.length >= worthBytes && bytes.length % blockBytes === 0 && position % blockBytes === 0
      const written =
        (allowed && aligned ? await tryDirect(bytes) : undefined) ?? (await handle.write(bytes, 0, bytes.length, position)).bytesWritten
      position += written
      return written
    },
    async close() {
      await direct?.close()
    },
  }
}
