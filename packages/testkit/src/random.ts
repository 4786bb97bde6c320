/** Random numbers that are a function of a seed. Print the seed of every random test. */
export interface Random {
  readonly seed: number
  /** At least 0, less than 1. */
  next(): number
  /** A whole number, at least 0, less than `limit`. */
  below(limit: number): number
  /** True with this probability. */
  chance(probability: number): boolean
  /** One element, each as probable as the others. RangeError if there is none. */
  pick<T>(list: readonly T[]): T
  /** A new array of this many bytes, which the caller owns. Hardly compressible. */
  bytes(length: number): Uint8Array
  /** An independent stream of numbers that depends only on this seed and the label, not on what was drawn before. */
  fork(label: string): Random
}

/** Mulberry32: small, fast, the same on every machine. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const next = () => word() / 4294967296
  const below = (limit: number) => Math.floor(next() * limit)
  return {
    seed,
    next,
    below,
    chance: (probability) => next() < probability,
    pick<T>(list: readonly T[]): T {
      if (list.length === 0) throw new RangeError('pick needs a list that is not empty')
      return list[below(list.length)] as T
    },
    bytes(length) {
      const words = new Uint32Array(Math.ceil(length / 4))
      for (let index = 0; index < words.length; index++) words[index] = word()
      return new Uint8Array(words.buffer, 0, length)
    },
    fork: (label) => seededRandom(hash(seed, label)),
  }
}

function hash(seed: number, label: string): number {
  let value = seed ^ 0x811c9dc5
  for (let index = 0; index < label.length; index++) value = Math.imul(value ^ label.charCodeAt(index), 0x01000193)
  return value | 0
}
