import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { binaries, sourceText, taken } from './local-files.ts'
import { seededBytes } from './seeded-bytes.ts'

const smallFilesPerGibibyte = 20_000

/** What a tree holds, for the line of a result. */
export interface SampleTree {
  readonly bytes: number
  readonly small_files: number
  readonly content: string
  readonly seed: string
}

/** A folder like a volume: 25 % random, 10 % zeros, 30 % source text, 30 % programs and libraries, the rest 20,000 small files per GiB. */
export async function writeSampleTree(folder: string, bytes: number, seed: string): Promise<SampleTree> {
  const random = seededBytes(`${seed} random`)
  const part = (share: number) => Math.floor(bytes * share)
  const fixed = (next: (length: number) => Buffer) =>
    (function* pieces(): Generator<Buffer, never, undefined> {
      for (;;) yield next(1 << 20)
    })()
  await writeFiles(join(folder, 'random'), taken(fixed(random), part(0.25)), 16 << 20)
  await writeFiles(
    join(folder, 'zeros'),
    taken(
      fixed((length) => Buffer.alloc(length)),
      part(0.1),
    ),
    32 << 20,
  )
  await writeFiles(join(folder, 'source'), taken(sourceText(seed), part(0.3)), 4 << 20)
  await writeFiles(join(folder, 'programs'), taken(binaries(seed), part(0.3)), 0)
  const smallFiles = Math.ceil((smallFilesPerGibibyte * bytes) / 2 ** 30)
  await writeSmallFiles(join(folder, 'small'), part(0.05), smallFiles, seed)
  return {
    bytes,
    small_files: smallFiles,
    content: '25 % random, 10 % zeros, 30 % source text, 30 % programs, 5 % small files',
    seed,
  }
}

/** @param most - bytes in one file; 0: each piece is a file of its own */
async function writeFiles(folder: string, pieces: Iterable<Buffer>, most: number): Promise<void> {
  await mkdir(folder, { recursive: true })
  let number = 0
  let size = 0
  let file = await open(join(folder, 'file-0'), 'w')
  try {
    for (const piece of pieces) {
      if (size > 0 && size + piece.length > most) {
        await file.close()
        number++
        size = 0
        file = await open(join(folder, `file-${number}`), 'w')
      }
      await file.writeFile(piece)
      size += piece.length
    }
  } finally {
    await file.close()
  }
}

async function writeSmallFiles(folder: string, bytes: number, count: number, seed: string): Promise<void> {
  const text = sourceText(`${seed} small`)
  const random = seededBytes(`${seed} sizes`)
  const mean = bytes / count
  for (let number = 0; number < count; number++) {
    const below = join(folder, String(Math.floor(number / 250)))
    if (number % 250 === 0) await mkdir(below, { recursive: true })
    // From nearly nothing to twice the mean.
    const size = Math.max(1, Math.round((random(2).readUInt16LE() / 0xffff) * 2 * mean))
    await writeFile(join(below, `${number}.txt`), Buffer.concat([...taken(text, size)]))
  }
}
