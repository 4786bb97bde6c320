import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScratchSpace } from '@holdfast/disk-image'
import type { Ids } from '../spec/clock.ts'
import type { ErrorCode } from '../spec/error-codes.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'

/** A scratch file. Its space is free again when it is disposed, and when the process ends in whatever way. */
export interface ScratchFile extends ScratchSpace, AsyncDisposable {}

/** A local folder for what must be known before it can be streamed. */
export interface Scratch {
  /** Rejects with DISK_FULL, or INVALID_OPTIONS for a folder that cannot be used; so do writes. */
  open(): Promise<ScratchFile>
}

const prefix = 'holdfast-scratch-'

const codes: { readonly [errno: string]: ErrorCode } = {
  ENOSPC: 'DISK_FULL',
  EDQUOT: 'DISK_FULL',
  // A file is as large as the disk it stands for, though mostly holes.
  EFBIG: 'DISK_FULL',
  EACCES: 'INVALID_OPTIONS',
  EPERM: 'INVALID_OPTIONS',
  EROFS: 'INVALID_OPTIONS',
  ENOTDIR: 'INVALID_OPTIONS',
  ELOOP: 'INVALID_OPTIONS',
  ENOENT: 'INVALID_OPTIONS',
  EEXIST: 'INVALID_OPTIONS',
}
const remedies: { readonly [code: string]: string } = {
  DISK_FULL:
    'Free space there, or give createEngine({ scratch }) a folder on a larger disk: it must hold what changes between two backups.',
  INVALID_OPTIONS: 'Give createEngine({ scratch }) a local folder that this user may write to.',
}

/**
 * Files have no name: each is created under a new name, exclusively and for this user alone, and the name is removed before anything is written. So nobody else
 * can open one, and one of a process that was killed is gone with it. A name that is seen in the folder is therefore of no use to anybody: at most a process
 * died between the two calls. Such names go when the folder is first used.
 */
export function createScratch({ folder, ids }: { readonly folder: string; readonly ids: Ids }): Scratch {
  let prepared: Promise<void> | undefined
  const prepare = async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const name of await readdir(folder)) if (name.startsWith(prefix)) await removed(join(folder, name))
  }
  const ready = async () => {
    prepared ??= prepare()
    await prepared.catch((error: unknown) => {
      prepared = undefined
      throw error
    })
  }
  const create = (path: string) => open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  return {
    open: () =>
      inFolder(folder, 'make a file', async () => {
        await ready()
        const path = join(folder, `${prefix}${ids.next()}`)
        const file = await create(path).catch(async (error: unknown) => {
          // It always looks empty, so whoever tidies up temporary folders may have removed it.
          if (codeOf(error) !== 'ENOENT') throw error
          prepared = undefined
          await ready()
          return await create(path)
        })
        await removed(path)
        return scratchFile(file, folder)
      }),
  }
}

/** Another process may do the same at the same time; one of another user stays. */
async function removed(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    const errno = codeOf(error)
    if (errno !== 'ENOENT' && errno !== 'EACCES' && errno !== 'EPERM') throw error
  })
}

function scratchFile(file: FileHandle, folder: string): ScratchFile {
  let closed: Promise<void> | undefined
  return {
    write: (bytes, offset) =>
      inFolder(folder, `write ${bytes.length} bytes`, async () => {
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done)
          done += bytesWritten
        }
      }),
    readInto: (target, offset) =>
      inFolder(folder, `read ${target.length} bytes`, async () => {
        for (let done = 0; done < target.length; ) {
          const { bytesRead } = await file.read(target, done, target.length - done, offset + done)
          if (bytesRead === 0) throw new HoldfastError('INTERNAL', `a scratch file in ${folder} ends at ${offset + done}`)
          done += bytesRead
        }
      }),
    [Symbol.asyncDispose]() {
      closed ??= file.close()
      return closed
    },
  }
}

/** Whether the scratch folder is what failed: full, gone or unreadable. */
export function isScratchError(error: unknown): boolean {
  return HoldfastError.isInstance(error) && Object.hasOwn(Object(error.details), 'scratch')
}

async function inFolder<T>(folder: string, action: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    const errno = codeOf(error)
    if (HoldfastError.isInstance(error) || errno === undefined) throw error
    const code = codes[errno] ?? 'READ_FAILED'
    const remedy = remedies[code]
    throw new HoldfastError(code, `cannot ${action} in the scratch folder ${folder}: ${(error as Error).message}`, {
      cause: error,
      details: { scratch: folder, errno },
      ...(remedy !== undefined && { remedy }),
    })
  }
}
