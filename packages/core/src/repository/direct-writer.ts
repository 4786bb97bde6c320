import { codeOf, HoldfastError } from '../spec/errors.ts'
import { type PiecePool, pieceBytes } from './piece-pool.ts'

/** What the place and the length of direct writes must be whole multiples of; every disk in use is content with it. */
const blockBytes = 4096
/** A chunk of this size may go to the disk as it lies there; smaller ones are gathered. */
const inPlaceBytes = 256 << 10

/** Writes at the end of one new file. Calls come one after the other. */
export interface DirectWriter {
  /** Bytes taken so far. Not all of them need be in the file yet. */
  readonly size: number
  /** Takes all bytes; afterwards they are the caller's again. Waits while too much is under way. Throws also what failed of an earlier one. */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when the file holds all that was taken: not durable before its sync, also because direct writes rest in the cache of the disk. */
  flush(): Promise<void>
  /** Waits for what is under way and frees what was opened besides the file. */
  close(): Promise<void>
}

/** Of Node's `FileHandle` what is needed here. */
export interface WriteHandle {
  write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  close(): Promise<void>
}

/** The same file opened once more, past the page cache. */
export type OpenDirect = () => Promise<WriteHandle>

/**
 * Writes past the page cache (`O_DIRECT`): a backup is written once and not read again soon. The cache belongs to the machines beside us, and copying into
 * it costs more than the disk. That needs memory that begins on a page. A large chunk is tried as it is, because disks come in such memory; all else is
 * copied into pieces that are written while the next ones are filled. Where the file system refuses, the file goes on buffered, and so does its odd end.
 * @param openDirect Undefined: always buffered.
 */
export function directWriter(handle: WriteHandle, pieces: PiecePool, openDirect: OpenDirect | undefined): DirectWriter {
  const file = writtenFile(handle, openDirect)
  const behind = writeBehind(file, pieces)
  let size = 0
  return {
    get size() {
      return size
    },
    async write(bytes) {
      const inPlace = behind.isEmpty && bytes.length >= inPlaceBytes && (await file.writeLent(bytes, size))
      if (!inPlace) await behind.write(bytes, size)
      size += bytes.length
    },
    flush: () => behind.flush(),
    async close() {
      await behind.close()
      await file.close()
    },
  }
}

interface WrittenFile {
  /** Writes memory of the caller in place; false when it must be copied first. */
  writeLent(bytes: Uint8Array, position: number): Promise<boolean>
  /** Writes memory that begins on a page as far as there is such memory. */
  writeOwn(bytes: Uint8Array, position: number): Promise<void>
  close(): Promise<void>
}

function writtenFile(handle: WriteHandle, openDirect: OpenDirect | undefined): WrittenFile {
  let opened: Promise<WriteHandle | undefined> | undefined
  const refused = { file: openDirect === undefined, lent: false }

  /** Undefined where it cannot be opened, for whatever reason: then there is still the first handle. */
  const openedDirect = (): Promise<WriteHandle | undefined> => {
    opened ??= Promise.resolve(openDirect?.()).catch(() => {
      refused.file = true
      return undefined
    })
    return opened
  }

  /** Answers undefined, and remembers that, when the system refuses. */
  async function writeDirect(bytes: Uint8Array, position: number, whose: keyof typeof refused): Promise<number | undefined> {
    if (refused.file || bytes.length % blockBytes !== 0 || position % blockBytes !== 0) return undefined
    const direct = await openedDirect()
    try {
      return (await direct?.write(bytes, 0, bytes.length, position))?.bytesWritten
    } catch (error) {
      if (!isRefusal(error)) throw error
      refused[whose] = true
      return undefined
    }
  }

  async function writeRest(bytes: Uint8Array, position: number, done: number): Promise<void> {
    for (let at = done; at < bytes.length; ) {
      const rest = bytes.subarray(at)
      const direct = await writeDirect(rest, position + at, 'file')
      const written = direct ?? (await handle.write(rest, 0, rest.length, position + at)).bytesWritten
      if (written === 0) throw new HoldfastError('REPOSITORY_FAILED', 'the file system took no bytes and reported no error')
      at += written
    }
  }

  return {
    async writeLent(bytes, position) {
      if (!refused.file && refused.lent) return false
      const written = await writeDirect(bytes, position, 'lent')
      if (written === undefined && !refused.file) return false
      await writeRest(bytes, position, written ?? 0)
      return true
    },
    writeOwn: (bytes, position) => writeRest(bytes, position, 0),
    close: async () => (await opened)?.close(),
  }
}

/** The file system does not do direct writes, or not from this memory. */
function isRefusal(error: unknown): boolean {
  const errno = codeOf(error)
  return errno === 'EINVAL' || errno === 'EOPNOTSUPP' || errno === 'ENOTSUP'
}

interface WriteBehind {
  /** Nothing waits for more bytes before it is written. */
  readonly isEmpty: boolean
  write(bytes: Uint8Array, position: number): Promise<void>
  flush(): Promise<void>
  close(): Promise<void>
}

/** Copies bytes into pieces; each full one is written while the next is filled. The first failure is thrown by whichever call comes next. */
function writeBehind(file: WrittenFile, pool: PiecePool): WriteBehind {
  const pieces = pieceWriter(file, pool)
  let piece: Uint8Array | undefined
  let filled = 0
  let position = 0
  const send = (): void => {
    if (piece !== undefined) pieces.write(piece, filled, position)
    piece = undefined
    filled = 0
  }
  return {
    get isEmpty() {
      return piece === undefined
    },
    async write(bytes, start) {
      for (let done = 0; done < bytes.length; ) {
        if (piece === undefined) {
          piece = await pieces.next()
          position = start + done
        }
        const part = bytes.subarray(done, done + pieceBytes - filled)
        piece.set(part, filled)
        filled += part.length
        done += part.length
        if (filled === pieceBytes) send()
      }
    },
    flush() {
      send()
      return pieces.settled()
    },
    close: () => pieces.close(),
  }
}

interface PieceWriter {
  /** A piece that nobody uses, when there is one. */
  next(): Promise<Uint8Array>
  /** Begins to write a piece, which belongs to nobody until `next` gives it again. */
  write(piece: Uint8Array, length: number, position: number): void
  /** Resolves when everything is written. */
  settled(): Promise<void>
  close(): Promise<void>
}

function pieceWriter(file: WrittenFile, pool: PiecePool): PieceWriter {
  let taken: readonly Uint8Array[] | undefined
  const free: Uint8Array[] = []
  const underWay = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  return {
    async next() {
      if (taken === undefined) {
        taken = pool.take()
        free.push(...taken)
      }
      while (free.length === 0) await Promise.race(underWay)
      if (failure !== undefined) throw failure.error
      return free.pop() as Uint8Array
    },
    write(piece, length, position) {
      const work: Promise<void> = file
        .writeOwn(piece.subarray(0, length), position)
        .catch((error: unknown) => {
          failure ??= { error }
        })
        .then(() => {
          underWay.delete(work)
          free.push(piece)
        })
      underWay.add(work)
    },
    async settled() {
      await Promise.all(underWay)
      if (failure !== undefined) throw failure.error
    },
    async close() {
      await Promise.all(underWay)
      if (taken !== undefined) pool.give(taken)
      taken = undefined
    },
  }
}
