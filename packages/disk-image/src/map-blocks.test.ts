import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { all, failure, memoryBlocks, noise, options, randomFrom, readAll } from '../test/support.ts'
import { clusterBytes } from './clusters.ts'
import { fileBlocks } from './file-blocks.ts'
import { mapBlocks, openRawFile } from './map-blocks.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-image-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('mapBlocks', () => {
  it.each([0, 1, 511, 512, 4096, clusterBytes - 1, clusterBytes, clusterBytes + 1, 3 * 1024 * 1024 + 7])(
    'maps a disk of %i bytes',
    async (size) => {
      const disk = noise(size, randomFrom(size))
      const blocks = await mapBlocks(memoryBlocks(disk, 4), options)
      expect(await all(blocks.extents(options))).toEqual(size === 0 ? [] : [{ offset: 0, length: size, kind: 'data' }])
      expect((await readAll(blocks)).equals(disk)).toBe(true)
    },
  )

  it('leaves clusters of zeros out, and answers the same again', async () => {
    const disk = Buffer.alloc(40 * clusterBytes + 100)
    disk[3 * clusterBytes + 17] = 1
    disk[20 * clusterBytes - 1] = 1
    disk[40 * clusterBytes + 99] = 1
    const blocks = await mapBlocks(memoryBlocks(disk), options)
    const expected = [
      { offset: 3 * clusterBytes, length: clusterBytes, kind: 'data' },
      { offset: 19 * clusterBytes, length: clusterBytes, kind: 'data' },
      { offset: 40 * clusterBytes, length: 100, kind: 'data' },
    ]
    expect(await all(blocks.extents(options))).toEqual(expected)
    expect(await all(blocks.extents(options))).toEqual(expected)
  })

  it.each([1, 2, 4, 9])('never reads more at once than the %i readers of the source', async (readers) => {
    const source = memoryBlocks(noise(9 * 1024 * 1024, randomFrom(readers)), readers)
    await mapBlocks(source, options)
    expect(source.mostReads).toBe(Math.min(readers, 4))
  })

  it('disposes the source when it fails, and once when it is disposed twice', async () => {
    const aborted = memoryBlocks(Buffer.alloc(clusterBytes))
    const reason = new Error('enough')
    await expect(mapBlocks(aborted, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(aborted.disposals).toBe(1)
    const source = memoryBlocks(Buffer.alloc(clusterBytes))
    const blocks = await mapBlocks(source, options)
    await blocks[Symbol.asyncDispose]()
    await blocks[Symbol.asyncDispose]()
    expect(source.disposals).toBe(1)
  })
})

describe('openRawFile', () => {
  it('reads any range of a file', async () => {
    const disk = noise(200_000, randomFrom(1))
    await writeFile(join(folder, 'disk.raw'), disk)
    const blocks = await openRawFile(join(folder, 'disk.raw'), options)
    const part = Buffer.alloc(70_001)
    await blocks.readInto(part, 65_000, options)
    expect(part.equals(disk.subarray(65_000, 135_001))).toBe(true)
    expect(await failure(() => blocks.readInto(part, 200_000 - 70_000, options))).toMatchObject({ code: 'INVALID_OPTIONS' })
    await blocks[Symbol.asyncDispose]()
  })

  it('names a file that is not there, and refuses a folder', async () => {
    const missing = await failure(() => openRawFile(join(folder, 'nothing.raw'), options))
    expect(missing).toMatchObject({ code: 'NOT_FOUND', retryable: false })
    expect(missing.message).toContain('nothing.raw')
    expect(await failure(() => openRawFile(folder, options))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('says TRUNCATED when the file shrinks while it is read', async () => {
    const path = join(folder, 'shrinks.raw')
    await writeFile(path, Buffer.alloc(200_000, 1))
    const blocks = await fileBlocks(path, options)
    await truncate(path, 100_000)
    expect(await failure(() => blocks.readInto(Buffer.alloc(150_000), 0, options))).toMatchObject({
      code: 'TRUNCATED',
      details: { offset: 100_000 },
    })
    await blocks[Symbol.asyncDispose]()
  })

  it('rejects with the reason of an aborted signal', async () => {
    const path = join(folder, 'aborted.raw')
    await writeFile(path, Buffer.alloc(clusterBytes))
    const reason = new Error('enough')
    await expect(openRawFile(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
