/** Bytes of one write to the disk: larger ones are not faster. */
export const pieceBytes = 1 << 20
/** Of one file: one is filled while the others are written. */
const piecesOfFile = 4
/** Files that are written at once find what others left; what more of them leave is dropped. */
const setsKept = 2
/** Of WebAssembly. */
const pageBytes = 65_536

/** Memory that files are written from, used again and again. */
export interface PiecePool {
  take(): readonly Uint8Array[]
  /** Gives back what was taken, once, when nobody writes from it any more. */
  give(pieces: readonly Uint8Array[]): void
}

export function piecePool(): PiecePool {
  const kept: (readonly Uint8Array[])[] = []
  return {
    take: () => kept.pop() ?? newPieces(),
    give(pieces) {
      if (kept.length < setsKept) kept.push(pieces)
    },
  }
}

/** The part of WebAssembly that is used here; the types of Node do not have it. */
interface WebAssemblyMemory {
  readonly Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
}

/**
 * Direct writes need memory that begins on a page, and that of WebAssembly is the only one JavaScript has; it costs nothing until it is touched. Where it
 * is refused any memory does: the system then refuses the direct write. (`@holdfast/disk-image` reads disks into such memory too. Who opens a repository
 * need not load it.)
 */
function newPieces(): readonly Uint8Array[] {
  const pieces = (memory: ArrayBuffer) =>
    Array.from({ length: piecesOfFile }, (_, number) => new Uint8Array(memory, number * pieceBytes, pieceBytes))
  try {
    const { Memory } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyMemory }).WebAssembly
    return pieces(new Memory({ initial: (piecesOfFile * pieceBytes) / pageBytes }).buffer)
  } catch {
    return pieces(new ArrayBuffer(piecesOfFile * pieceBytes))
  }
}
