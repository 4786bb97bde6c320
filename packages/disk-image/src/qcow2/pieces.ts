import { clusterBytes } from '../clusters.ts'
import type { L2Entry } from './entries.ts'

/** Bytes of the disk that lie together in the file, or that are no bytes at all. */
export interface PlainPiece {
  readonly kind: 'data' | 'zero'
  readonly offset: number
  /** Bytes of the disk. */
  length: number
}

/** A part of one compressed cluster. */
export interface CompressedPiece {
  readonly kind: 'compressed'
  /** Where the cluster begins on the disk. */
  readonly guestOffset: number
  readonly offset: number
  /** Bytes in the file. */
  readonly stored: number
  /** First byte of the cluster that is wanted. */
  readonly inside: number
  /** Bytes of the disk. */
  readonly length: number
}

export type Piece = PlainPiece | CompressedPiece

/** Where the bytes of a range of the disk are; plain ones that follow each other in the file are joined. */
export function piecesOf(entryAt: (index: number) => L2Entry, start: number, end: number): readonly Piece[] {
  const pieces: Piece[] = []
  for (let at = start; at < end; ) {
    const index = Math.floor(at / clusterBytes)
    const guestOffset = index * clusterBytes
    const inside = at - guestOffset
    const length = Math.min(clusterBytes - inside, end - at)
    at += length
    const { kind, offset, stored } = entryAt(index)
    if (kind === 'compressed') {
      pieces.push({ kind, guestOffset, offset, stored, inside, length })
      continue
    }
    const plain: PlainPiece = kind === 'data' ? { kind, offset: offset + inside, length } : { kind: 'zero', offset: 0, length }
    const last = pieces.at(-1)
    const joins = last?.kind === plain.kind && (plain.kind === 'zero' || last.offset + last.length === plain.offset)
    if (joins) (last as PlainPiece).length += length
    else pieces.push(plain)
  }
  return pieces
}

/** The most that is read at once for several compressed clusters. */
const mostStored = 1024 * 1024

/** Compressed clusters that lie close together in the file, as one read of it. */
export interface StoredRange {
  readonly offset: number
  readonly end: number
  readonly pieces: readonly CompressedPiece[]
}

/** Neighbours on the disk are neighbours in the file as a rule. Pieces stay in their order. */
export function* storedRanges(pieces: readonly CompressedPiece[]): Generator<StoredRange> {
  let range: { offset: number; end: number; pieces: CompressedPiece[] } | undefined
  for (const piece of pieces) {
    const end = piece.offset + piece.stored
    const close = range !== undefined && piece.offset >= range.offset && piece.offset <= range.end && end - range.offset <= mostStored
    if (range !== undefined && close) {
      range.end = Math.max(range.end, end)
      range.pieces.push(piece)
      continue
    }
    if (range !== undefined) yield range
    range = { offset: piece.offset, end, pieces: [piece] }
  }
  if (range !== undefined) yield range
}
