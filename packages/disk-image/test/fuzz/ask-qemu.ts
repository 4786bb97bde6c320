import { execFile } from 'node:child_process'
import { open, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DiskImageError, type MappedBlocks, openQcow2, openStreamOptimizedVmdk } from '@holdfast/disk-image'
import { memoryBlocks, options } from '../support.ts'
import type { CorpusFormat } from './corpus.ts'
import type { Mutant } from './mutant.ts'

const run = promisify(execFile)

/** `skipped`: refused by us, or larger than is worth a comparison. */
export type Agreement = 'same' | 'refused by QEMU' | 'skipped'

const largestDisk = 2 ** 32
const pieceBytes = 2 ** 20

/** Writes what we read of the image into a raw file with holes. */
async function writeOurs(path: string, blocks: MappedBlocks): Promise<void> {
  const file = await open(path, 'w')
  const piece = Buffer.alloc(pieceBytes)
  try {
    for await (const { offset, length, kind } of blocks.extents(options)) {
      for (let at = offset; kind === 'data' && at < offset + length; at += pieceBytes) {
        const part = piece.subarray(0, Math.min(pieceBytes, offset + length - at))
        await blocks.readInto(part, at, options)
        await file.write(part, 0, part.length, at)
      }
    }
  } finally {
    await file.close()
  }
  await truncate(path, blocks.size)
}

async function readOurs(path: string, { format, file }: Mutant): Promise<number | undefined> {
  try {
    const blocks = await (format === 'qcow2' ? openQcow2 : openStreamOptimizedVmdk)(memoryBlocks(Buffer.from(file)), options)
    // QEMU sees only the whole sectors of a disk.
    if (blocks.size > largestDisk || blocks.size % 512 !== 0) return undefined
    await writeOurs(path, blocks)
    return blocks.size
  } catch (error) {
    if (DiskImageError.isInstance(error)) return undefined
    throw error
  }
}

/** The file alone, whatever it says is below it. */
function described(format: CorpusFormat, filename: string): string {
  const file = { driver: 'file', filename }
  return `json:${JSON.stringify(format === 'qcow2' ? { driver: 'qcow2', backing: null, file } : { driver: 'vmdk', file })}`
}

/** Throws when QEMU reads other bytes than we. It may refuse what we read: it looks at refcounts and at names. */
export async function askQemu(folder: string, qemuImg: string, mutant: Mutant): Promise<Agreement> {
  const [raw, image] = [join(folder, 'ours.raw'), join(folder, 'mutant.img')]
  try {
    if ((await readOurs(raw, mutant)) === undefined) return 'skipped'
    await writeFile(image, mutant.file)
    await run(qemuImg, ['compare', '-f', 'raw', raw, described(mutant.format, image)])
    return 'same'
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string }
    if (typeof code !== 'number') throw error
    // 1: a difference. Above: an error.
    if (code === 1 && /mismatch|differ/i.test(stdout)) throw new Error(`QEMU reads other bytes: ${stdout.trim()}`)
    if (code > 0) return 'refused by QEMU'
    throw new Error(`${stdout} ${stderr}`, { cause: error })
  } finally {
    await Promise.all([raw, image].map((path) => rm(path, { force: true })))
  }
}
