import type { BlockSource, CallOptions } from './blocks.ts'
import { giveBack } from './give-back.ts'

/** A part of a unit of the disk (a cluster, a grain) that lies compressed in the file. */
export interface PackedPiece {
  /** Where the unit begins on the disk. */
  readonly guestOffset: number
  readonly offset: number
  /** Bytes from `offset` on that it may take in the file. */
  readonly stored: number
  /** First byte of the unit that is wanted. */
  readonly inside: number
  /** Bytes that are wanted, and where they go. */
  readonly target: Uint8Array
}

/** Gives all bytes of a unit, in memory of their own. `stored` may go on after its end. */
export type Unpack = (piece: PackedPiece, stored: Buffer) => Promise<Uint8Array>

/** The most that is read at once for several pieces. */
const mostStored = 1024 * 1024
/** A range may end a unit later. */
const rangeBytes = mostStored + 256 * 1024
/** So many are unpacked at once, in the thread pool of the process. */
const mostAtOnce = 4

interface StoredRange {
  readonly offset: number
  end: number
  readonly pieces: PackedPiece[]
}

/** Neighbours on the disk are neighbours in the file as a rule: pieces that lie close together are one read. They stay in their order. */
function* storedRanges(pieces: readonly PackedPiece[]): Generator<StoredRange> {
  let range: StoredRange | undefined
  for (const piece of pieces) {
    const end = piece.offset + piece.stored
    if (range !== undefined && piece.offset >= range.offset && piece.offset <= range.end && end - range.offset <= mostStored) {
      range.end = Math.max(range.end, end)
      range.pieces.push(piece)
      continue
    }
    if (range !== undefined) yield range
    range = { offset: piece.offset, end, pieces: [piece] }
  }
  if (range !== undefined) yield range
}

/** Buffers for ranges, as many as were ever in use at once, used again: what is made anew for each read stays in memory until the collector looks for it. */
function createRangeBuffers() {
  const free: Buffer[] = []
  return {
    take: (bytes: number): Buffer => {
      const index = free.findIndex(({ length }) => length >= bytes)
      return free.splice(index, index < 0 ? 0 : 1)[0] ?? Buffer.allocUnsafeSlow(Math.max(bytes, rangeBytes))
    },
    give: (buffer: Buffer): void => void free.push(buffer),
  }
}

/** Reads pieces, and fills their targets. */
export type ReadPacked = (pieces: readonly PackedPiece[], options: CallOptions) => Promise<void>

/** Reads and unpacks. Each call has one read at a time; the next bytes are read while units are unpacked. */
export function createPackedReader(source: BlockSource, unpack: Unpack): ReadPacked {
  const buffers = createRangeBuffers()

  async function place(piece: PackedPiece, stored: Buffer): Promise<void> {
    const plain = await unpack(piece, stored)
    piece.target.set(plain.subarray(piece.inside, piece.inside + piece.target.length))
    giveBack(plain)
  }

  return async (pieces, options) => {
    const running = new Set<Promise<void>>()
    const failures: unknown[] = []
    const begin = (piece: PackedPiece, stored: Buffer): Promise<void> => {
      const work: Promise<void> = place(piece, stored)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(work))
      running.add(work)
      return work
    }
    try {
      for (const range of storedRanges(pieces)) {
        options.signal.throwIfAborted()
        const buffer = buffers.take(range.end - range.offset)
        await source.readInto(buffer.subarray(0, range.end - range.offset), range.offset, options)
        const placed: Promise<void>[] = []
        for (const piece of range.pieces) {
          while (running.size >= mostAtOnce) await Promise.race(running)
          if (failures.length > 0) throw failures[0]
          const at = piece.offset - range.offset
          placed.push(begin(piece, buffer.subarray(at, at + piece.stored)))
        }
        void Promise.all(placed).then(() => buffers.give(buffer))
      }
    } finally {
      await Promise.all(running)
    }
    if (failures.length > 0) throw failures[0]
  }
}
