import { createCipheriv, createHash } from 'node:crypto'

/** Endless random bytes that are the same for the same seed. */
export function seededBytes(seed: string): (length: number) => Buffer {
  const key = createHash('sha256').update(seed).digest()
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16))
  return (length) => cipher.update(Buffer.alloc(length))
}

/** The same values in an order that depends on the seed alone. */
export function shuffled<Value>(values: readonly Value[], seed: string): readonly Value[] {
  const next = seededBytes(seed)
  const result = [...values]
  for (let end = result.length - 1; end > 0; end--) {
    const other = next(4).readUInt32LE() % (end + 1)
    const value = result[end] as Value
    result[end] = result[other] as Value
    result[other] = value
  }
  return result
}
