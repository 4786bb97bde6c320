import { clusterBytes } from '../clusters.ts'
import type { PackedPiece } from '../packed-reads.ts'
import type { L2Entry } from './entries.ts'

/** Bytes of the disk that lie together in the file; without an offset they are zeros. */
export interface PlainPiece {
  readonly offset: number | undefined
  readonly target: Uint8Array
}

/** Where the bytes of a range of the disk are. */
export interface Pieces {
  readonly plain: readonly PlainPiece[]
  readonly packed: readonly PackedPiece[]
}

/** Finds them for `target`, which begins at `start` on the disk. Plain ones that follow each other in the file are joined. */
export function piecesOf(entryAt: (index: number) => L2Entry, target: Uint8Array, start: number): Pieces {
  const plain: PlainPiece[] = []
  const packed: PackedPiece[] = []
  for (let at = 0; at < target.length; ) {
    const index = Math.floor((start + at) / clusterBytes)
    const guestOffset = index * clusterBytes
    const inside = start + at - guestOffset
    const part = target.subarray(at, at + clusterBytes - inside)
    const { kind, offset, stored } = entryAt(index)
    if (kind === 'compressed') packed.push({ guestOffset, offset, stored, inside, target: part })
    else addPlain(plain, target, at, part.length, kind === 'data' ? offset + inside : undefined)
    at += part.length
  }
  return { plain, packed }
}

function addPlain(plain: PlainPiece[], target: Uint8Array, at: number, length: number, offset: number | undefined): void {
  const last = plain.at(-1)
  const lastEnd = last === undefined ? undefined : last.target.byteOffset - target.byteOffset + last.target.length
  const follows = last?.offset === undefined ? offset === undefined : last.offset + last.target.length === offset
  if (last === undefined || lastEnd !== at || !follows) plain.push({ offset, target: target.subarray(at, at + length) })
  else plain[plain.length - 1] = { offset: last.offset, target: target.subarray(at - last.target.length, at + length) }
}
