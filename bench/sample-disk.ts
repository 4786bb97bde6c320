import { open } from 'node:fs/promises'
import { binaries, sourceText, taken } from './local-files.ts'
import { seededBytes } from './seeded-bytes.ts'

/** For the line of a result. */
export const sampleDiskContent = '20 % random, 20 % source text, 20 % programs, 40 % holes, in turns of 1 MiB to 16 MiB'

/** A raw disk of so many bytes, durable when it resolves. */
export async function writeSampleDisk(path: string, size: number, seed: string): Promise<void> {
  const random = seededBytes(`${seed} random`)
  const text = sourceText(seed)
  const programs = binaries(seed)
  const kinds = [
    (length: number) => [random(length)],
    (length: number) => taken(text, length),
    (length: number) => taken(programs, length),
    undefined,
    undefined,
  ]
  const file = await open(path, 'wx')
  try {
    await file.truncate(size)
    let at = 0
    for (let turn = 0; at < size; turn++) {
      const length = Math.min(2 ** (20 + (random(1).readUInt8() % 5)), size - at)
      const pieces = kinds[turn % kinds.length]?.(length) ?? []
      let within = at
      for (const piece of pieces) {
        await file.write(piece, 0, piece.length, within)
        within += piece.length
      }
      at += length
    }
    await file.sync()
  } finally {
    await file.close()
  }
}
