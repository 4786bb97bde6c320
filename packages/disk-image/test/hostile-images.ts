import { clusterBytes, DiskImageError, mapBlocks, openQcow2 } from '@holdfast/disk-image'
import { beforeAll, describe, expect, it } from 'vitest'
import { failure, imageOf, memoryBlocks, noise, openImage, options, randomFrom, readAll } from './support.ts'

/** A good image of a disk of three clusters and a bit, all of it data, with a backing name, and where its parts are. */
export interface GoodImage {
  readonly file: Buffer
  readonly disk: Buffer
  readonly l1: number
  readonly refcountTable: number
  readonly refcountBlock: number
  readonly l2: number
  readonly dataStart: number
  /** Header extensions begin here. */
  readonly extensions: number
  readonly backingName: number
}

export async function goodImage(): Promise<GoodImage> {
  const disk = noise(3 * clusterBytes + 513, randomFrom(1))
  const image = await imageOf(await mapBlocks(memoryBlocks(disk), options), { covers: 'all', backing: 'older.qcow2' })
  return {
    file: image.file,
    disk,
    l1: clusterBytes,
    refcountTable: 2 * clusterBytes,
    refcountBlock: 3 * clusterBytes,
    l2: image.metadataBytes - clusterBytes,
    dataStart: image.metadataBytes,
    extensions: 112,
    backingName: Number(image.file.readBigUInt64BE(8)),
  }
}

/** Bits of L1 and L2 entries. */
export const copied: bigint = 1n << 63n
export const compressed: bigint = 1n << 62n
/** Sectors after the first, of a compressed cluster. */
export const sectors = (count: number): bigint => BigInt(count) << 54n

export function u64(file: Buffer, at: number, value: bigint): void {
  file.writeBigUInt64BE(value, at)
}

/** What is refused when it is opened, with which code, and what makes it so. A mutant may give another buffer back. */
export type Refused = readonly [
  name: string,
  code: 'IMAGE_DAMAGED' | 'UNSUPPORTED_FORMAT',
  mutate: (file: Buffer, good: GoodImage) => Buffer | unknown,
]
/** What is read, what makes it so, and what the disk then holds: the same as before unless said. */
export type Accepted = readonly [
  name: string,
  mutate: (file: Buffer, good: GoodImage) => Buffer | unknown,
  expected?: (disk: Buffer) => Buffer,
]

const mutated = (good: GoodImage, mutate: Accepted[1]): Buffer => {
  const file = Buffer.from(good.file)
  const other = mutate(file, good)
  return Buffer.isBuffer(other) ? other : file
}

/** Memory that opening any of these small images may take. */
const mostBytes = 1024 * 1024

/** Registers a test for each. */
export function describeMutants(title: string, refused: readonly Refused[], accepted: readonly Accepted[] = []): void {
  describe(title, () => {
    let good: GoodImage
    beforeAll(async () => {
      good = await goodImage()
    })

    it.each(refused)('is refused: %s', async (_, code, mutate) => {
      const source = memoryBlocks(mutated(good, mutate))
      const before = process.memoryUsage().arrayBuffers
      const error = await failure(() => openQcow2(source, options))
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(mostBytes)
      expect(DiskImageError.isInstance(error), String(error)).toBe(true)
      expect(error).toMatchObject({ code, retryable: false })
      expect(error.remedy).toBeTruthy()
      expect(source.disposals).toBe(1)
    })

    if (accepted.length === 0) return
    const cases = accepted.map(([name, mutate, expected]) => ({ name, mutate, expected: expected ?? ((disk: Buffer) => disk) }))
    it.each(cases)('is read: $name', async ({ mutate, expected }) => {
      const bytes = await readAll(await openImage(mutated(good, mutate)))
      expect(bytes.equals(expected(Buffer.from(good.disk)))).toBe(true)
    })
  })
}
