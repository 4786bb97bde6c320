import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copied, type GoodImage, goodImage, u64 } from '../../test/hostile-images.ts'
import { failure, memoryBlocks, openImage, options, readAll } from '../../test/support.ts'
import type { BlockSource } from '../blocks.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'
import { fileBlocks } from '../file-blocks.ts'
import { openQcow2 } from './open.ts'

describe('a qcow2 file that is cut', () => {
  const places: readonly [where: string, length: (good: GoodImage) => number][] = [
    ['in L1', ({ l1 }) => l1 + 4],
    ['before the refcount table', ({ refcountTable }) => refcountTable],
    ['in the refcount table', ({ refcountTable }) => refcountTable + 1],
    ['in the refcount block', ({ refcountBlock }) => refcountBlock + 5],
    ['before L2', ({ l2 }) => l2],
    ['in L2', ({ l2 }) => l2 + 100],
    ['before its data', ({ dataStart }) => dataStart],
    ['in its data', ({ dataStart }) => dataStart + 70_000],
    ['before the last cluster', ({ file }) => file.length - clusterBytes],
    ['in the last cluster, one byte before the end of the disk', ({ file }) => file.length - clusterBytes + 512],
  ]
  it.each(places)('is refused when it is opened: truncated %s', async (_, length) => {
    const good = await goodImage()
    const error = await failure(() => openImage(good.file.subarray(0, length(good))))
    expect(error.code, error.message).toBe('IMAGE_DAMAGED')
  })

  it('is refused when it is opened: 0..160 bytes', async () => {
    const { file } = await goodImage()
    for (let length = 0; length <= 160; length += 1) {
      const error = await failure(() => openImage(file.subarray(0, length)))
      expect(error.code, `${length} bytes: ${error.message}`).toBe(length < 8 ? 'UNSUPPORTED_FORMAT' : 'IMAGE_DAMAGED')
    }
  })

  it('is read when only the padding of its last cluster is gone', async () => {
    const { file, disk } = await goodImage()
    const layer = await openImage(file.subarray(0, file.length - clusterBytes + 513))
    expect((await readAll(layer)).equals(disk)).toBe(true)
  })

  it('is read with a version 2 header of 72 bytes or more, refused with less', async () => {
    const { file } = await goodImage()
    const old = Buffer.from(file)
    old.writeUInt32BE(2, 4)
    expect((await failure(() => openImage(old.subarray(0, 71)))).message).toContain('ends in its header')
    expect((await failure(() => openImage(old.subarray(0, 72)))).message).toContain('L1 table')
  })
})

describe('a qcow2 file whose storage does not keep its word', () => {
  let folder = ''
  let path = ''
  let good: GoodImage
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hostile-file-'))
    path = join(folder, 'disk.qcow2')
    good = await goodImage()
    await writeFile(path, good.file)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('shrinks before its tables are read: TRUNCATED, to be tried again', async () => {
    const source = await fileBlocks(path, options)
    await truncate(path, good.l1)
    expect(await failure(() => openQcow2(source, options))).toMatchObject({ code: 'TRUNCATED', retryable: true })
  })

  it('shrinks during read: TRUNCATED, and what is still there is read', async () => {
    const layer = await openQcow2(await fileBlocks(path, options), options)
    await truncate(path, good.dataStart + clusterBytes + 10)
    const part = Buffer.alloc(clusterBytes)
    await layer.readInto(part, 0, options)
    expect(part.equals(good.disk.subarray(0, clusterBytes))).toBe(true)
    const error = await failure(() => layer.readInto(part, clusterBytes, options))
    expect(error).toMatchObject({ code: 'TRUNCATED', retryable: true, details: { offset: good.dataStart + clusterBytes + 10 } })
    await layer[Symbol.asyncDispose]()
  })

  it('loses its tables during read: TRUNCATED', async () => {
    const layer = await openQcow2(await fileBlocks(path, options), options)
    await truncate(path, 100)
    expect(await failure(() => readAll(layer))).toMatchObject({ code: 'TRUNCATED' })
    await layer[Symbol.asyncDispose]()
  })

  it('changes its tables after they were checked: IMAGE_DAMAGED', async () => {
    const file = Buffer.from(good.file)
    const layer = await openImage(file)
    u64(file, good.l2, 0n)
    expect(await failure(() => readAll(layer))).toMatchObject({ code: 'IMAGE_DAMAGED' })
  })

  it.each([0, 1, 2, 3])('cannot be read after %i reads: the error of the storage passes through, the file is closed', async (reads) => {
    const memory = memoryBlocks(good.file)
    let left = reads
    const broken = new DiskImageError('READ_FAILED', 'EIO')
    const source: BlockSource = {
      size: memory.size,
      async readInto(target, offset, callOptions) {
        left -= 1
        if (left < 0) throw broken
        await memory.readInto(target, offset, callOptions)
      },
      [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    }
    await expect(openQcow2(source, options)).rejects.toBe(broken)
    expect(memory.disposals).toBe(1)
  })
})

describe('a sparse qcow2 file', () => {
  const largest = 2 ** 63
  const sparse = (file: Buffer): BlockSource => ({
    size: largest,
    async readInto(target, offset) {
      target.fill(0)
      if (offset < file.length) target.set(file.subarray(offset, Math.min(file.length, offset + target.length)))
    },
    async [Symbol.asyncDispose]() {},
  })

  it('of 8 EiB takes no memory: its far clusters are read where they are', async () => {
    const { file, l2, disk } = await goodImage()
    const mutant = Buffer.from(file)
    u64(mutant, l2, copied | (2n ** 55n))
    const before = process.memoryUsage().arrayBuffers
    const layer = await openQcow2(sparse(mutant), options)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024)
    const bytes = await readAll(layer)
    expect(bytes.subarray(0, clusterBytes).equals(Buffer.alloc(clusterBytes))).toBe(true)
    expect(bytes.subarray(clusterBytes).equals(disk.subarray(clusterBytes))).toBe(true)
  })

  it('of 8 EiB with an L1 table of 32 MiB and a refcount table of 8 MiB takes no more than these', { timeout: 60_000 }, async () => {
    const { file } = await goodImage()
    const mutant = Buffer.from(file)
    u64(mutant, 24, 2n ** 51n)
    mutant.writeUInt32BE(4 * 1024 * 1024, 36)
    u64(mutant, 40, 2n ** 40n)
    u64(mutant, 48, 2n ** 41n)
    mutant.writeUInt32BE(128, 56)
    const before = process.memoryUsage().arrayBuffers
    const layer = await openQcow2(sparse(mutant), options)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(48 * 1024 * 1024)
    expect(layer.size).toBe(2 ** 51)
  })

  it('whose clusters are scattered over petabytes is refused before it takes 128 MiB', { timeout: 60_000 }, async () => {
    const { file } = await goodImage()
    const mutant = Buffer.from(file)
    const tables = 16
    u64(mutant, 24, BigInt(tables) * 2n ** 29n)
    mutant.writeUInt32BE(tables, 36)
    const far = 2 ** 45
    for (let slot = 0; slot < tables; slot += 1) u64(mutant, clusterBytes + slot * 8, copied | BigInt(far + slot * clusterBytes))
    const source: BlockSource = {
      ...sparse(mutant),
      async readInto(target, offset, callOptions) {
        if (offset < far) return sparse(mutant).readInto(target, offset, callOptions)
        const table = Buffer.from(target.buffer, target.byteOffset, target.length)
        const first = ((offset - far) / clusterBytes) * 8192
        for (let entry = 0; entry < 8192; entry += 1) u64(table, entry * 8, BigInt(first + entry + 2 ** 17) << 29n)
      },
    }
    const error = await failure(() => openQcow2(source, options))
    expect(error).toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
    expect(error.message).toContain('scattered')
  })
})
