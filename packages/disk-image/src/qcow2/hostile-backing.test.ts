import { describe, expect, it } from 'vitest'
import { type Accepted, describeMutants, goodImage, type Refused, u64 } from '../../test/hostile-images.ts'
import { fullImage, memoryBlocks, noise, openImage, options, randomFrom, readAll, withExtents } from '../../test/support.ts'
import { chainView } from '../chain-view.ts'
import { clusterBytes } from '../clusters.ts'

const names: readonly Refused[] = [
  ['offset in the middle of L1', 'IMAGE_DAMAGED', (file, { l1 }) => u64(file, 8, BigInt(l1 + 100))],
  ['offset inside the header', 'IMAGE_DAMAGED', (file) => u64(file, 8, 50n)],
  ['offset 2^63', 'IMAGE_DAMAGED', (file) => u64(file, 8, 2n ** 63n)],
  ['name that leaves the header cluster', 'IMAGE_DAMAGED', (file) => u64(file, 8, BigInt(clusterBytes - 2))],
  ['size 0 with an offset', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0, 16)],
  ['size > 1023', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(1024, 16)],
  ['size 2^32-1', 'IMAGE_DAMAGED', (file) => file.writeUInt32BE(0xffffffff, 16)],
  ['NUL in name', 'IMAGE_DAMAGED', (file, { backingName }) => file.writeUInt8(0, backingName + 2)],
  ['name that is not UTF-8', 'IMAGE_DAMAGED', (file, { backingName }) => file.writeUInt8(0xff, backingName)],
]

const formats: readonly Accepted[] = ['raw', 'vmdk', 'file:', '\0\0\0'].map((format) => [
  `lying backing format ${JSON.stringify(format)}: never probed`,
  (file, { extensions }) => {
    file.fill(0, extensions + 8, extensions + 16)
    file.write(format, extensions + 8)
  },
])

/** As the first programs wrote it: the name where extensions would begin. */
const oldest: Accepted = [
  'version 2 with the name right after the header, without extensions',
  (file) => {
    file.writeUInt32BE(2, 4)
    file.fill(0, 72, clusterBytes)
    file.write('older.qcow2', 72)
    u64(file, 8, 72n)
    u64(file, 24, BigInt(3 * clusterBytes + 1024))
  },
  (disk) => Buffer.concat([disk, Buffer.alloc(511)]),
]

describeMutants('a malformed qcow2 backing name', names, [...formats, oldest])

describe('the backing name of a qcow2 file', () => {
  it.each([
    '/etc/shadow',
    '../../etc/shadow',
    'json:{"driver":"nbd"}',
    'nbd://host/export',
    'itself.qcow2',
    'missing.qcow2',
    'x'.repeat(1023),
  ])('is reported and never followed: %s', async (name) => {
    const { file, backingName, disk } = await goodImage()
    const mutant = Buffer.from(file)
    mutant.write(name, backingName)
    mutant.writeUInt32BE(Buffer.byteLength(name), 16)
    const layer = await openImage(mutant)
    expect(layer.backingName).toBe(name)
    expect((await readAll(layer)).equals(disk)).toBe(true)
  })
})

describe('a chain whose files lie about each other', () => {
  const cluster = (seed: number) => noise(clusterBytes, randomFrom(seed))

  it('has the order that it was given: a cycle A->B->A in the names means nothing', async () => {
    const [one, other] = [await fullImage(cluster(1)), await fullImage(cluster(2))]
    const view = chainView([await openImage(one.file), await openImage(other.file), await openImage(one.file)], clusterBytes)
    expect((await readAll(view)).equals(cluster(1))).toBe(true)
  })

  it('may be 10,000 deep', { timeout: 60_000 }, async () => {
    const oldest = memoryBlocks(cluster(3))
    const nothing = Array.from({ length: 10_000 }, () => withExtents(memoryBlocks(Buffer.alloc(clusterBytes)), []))
    const view = chainView([...nothing, withExtents(oldest, [{ offset: 0, length: clusterBytes, kind: 'data' }])], clusterBytes)
    expect((await readAll(view)).equals(cluster(3))).toBe(true)
  })

  it('may have a backing larger than the overlay: what the overlay cut off is not seen', async () => {
    const disk = noise(3 * clusterBytes, randomFrom(4))
    const overlay = withExtents(memoryBlocks(Buffer.alloc(clusterBytes + 1000)), [])
    const view = chainView([overlay, await openImage((await fullImage(disk)).file)], 2 * clusterBytes)
    const expected = Buffer.concat([disk.subarray(0, clusterBytes + 1000), Buffer.alloc(clusterBytes - 1000)])
    expect((await readAll(view)).equals(expected)).toBe(true)
  })

  it('may have a backing smaller than the overlay: zeros past its end, also in its last partial cluster', async () => {
    const small = noise(clusterBytes + 1000, randomFrom(5))
    const { file } = await fullImage(small)
    file.fill(0xee, file.length - clusterBytes + 1000)
    const overlay = withExtents(memoryBlocks(Buffer.alloc(4 * clusterBytes)), [])
    const view = chainView([overlay, await openImage(file)], 4 * clusterBytes)
    expect((await readAll(view)).equals(Buffer.concat([small, Buffer.alloc(3 * clusterBytes - 1000)]))).toBe(true)
  })

  it('may not have mixed cluster sizes: the layer with another one is refused before it is in the chain', async () => {
    const { file } = await fullImage(noise(clusterBytes, randomFrom(7)))
    file.writeUInt32BE(17, 20)
    await expect(openImage(file)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
  })

  it('may be resized above all its layers', async () => {
    const disk = noise(clusterBytes, randomFrom(6))
    const view = chainView([await openImage((await fullImage(disk)).file)], 3 * clusterBytes)
    expect((await readAll(view)).equals(Buffer.concat([disk, Buffer.alloc(2 * clusterBytes)]))).toBe(true)
    await expect(view.readInto(Buffer.alloc(2), 3 * clusterBytes - 1, options)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})
