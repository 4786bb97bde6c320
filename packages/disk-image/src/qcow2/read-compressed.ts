import type { BlockSource, CallOptions } from '../blocks.ts'
import { type ClusterCodec, decompressCluster } from './decompress.ts'
import { type CompressedPiece, storedRanges } from './pieces.ts'

/** So many clusters are unpacked at once, in the thread pool of the process. */
const mostAtOnce = 4

/** A compressed piece and where its bytes go. */
export interface WantedPiece {
  readonly piece: CompressedPiece
  readonly target: Uint8Array
}

/** Reads and unpacks. The file is read by one reader; the next bytes are read while clusters are unpacked. */
export async function readCompressed(
  source: BlockSource,
  codec: ClusterCodec,
  wanted: readonly WantedPiece[],
  options: CallOptions,
): Promise<void> {
  const targets = new Map(wanted.map(({ piece, target }) => [piece, target]))
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  const unpack = async (piece: CompressedPiece, stored: Buffer): Promise<void> => {
    const plain = await decompressCluster(codec, stored, piece.guestOffset)
    targets.get(piece)?.set(plain.subarray(piece.inside, piece.inside + piece.length))
  }
  try {
    for (const range of storedRanges([...targets.keys()])) {
      options.signal.throwIfAborted()
      const bytes = Buffer.allocUnsafeSlow(range.end - range.offset)
      await source.readInto(bytes, range.offset, options)
      for (const piece of range.pieces) {
        while (running.size >= mostAtOnce) await Promise.race(running)
        if (failures.length > 0) throw failures[0]
        const at = piece.offset - range.offset
        const work: Promise<void> = unpack(piece, bytes.subarray(at, at + piece.stored))
          .catch((error: unknown) => void failures.push(error))
          .finally(() => running.delete(work))
        running.add(work)
      }
    }
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}
