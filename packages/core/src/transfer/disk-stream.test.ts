import { createHash } from 'node:crypto'
import { openQcow2, openStreamOptimizedVmdk } from '@holdfast/disk-image'
import { memoryBlocks } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { watchHeldMemory } from '../../../disk-image/test/held-memory.ts'
import { filesInMemory } from '../../test/damage/stored-files.ts'
import { type DiskChain, imageOf, makeDiskChain, sparseBlocks } from '../../test/disk-chain.ts'
import { bytesOfStream, never, sourceOf, type TransferFixture, transferFixture } from '../../test/transfer-fixture.ts'
import type { MappedBlocks } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Repository, StoredBytes } from '../spec/repository.ts'
import { type DiskFormat, diskFormats, encodeDisk, streamStoredDisk } from './disk-stream.ts'

const signal = never()
const seed = Number(process.env.HOLDFAST_SEED ?? 20261205)
const depths = [1, 2, 3, 4, 5]
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

interface World extends DiskChain {
  readonly fixture: TransferFixture
  readonly opened: () => number
}

async function world(): Promise<World> {
  const fixture = transferFixture()
  const chain = await makeDiskChain(fixture, { seed })
  const { repository, opened } = countingOpens(fixture.repository)
  return { ...chain, fixture: { ...fixture, repository: { ...fixture.repository, ...repository } }, opened }
}

function countingOpens(inner: Repository): { readonly repository: Pick<Repository, 'open'>; readonly opened: () => number } {
  let count = 0
  const open: Repository['open'] = async (path, call) => {
    const bytes: StoredBytes = await inner.open(path, call)
    count++
    let closed = false
    const close = async () => {
      if (!closed) count--
      closed = true
      await bytes[Symbol.asyncDispose]()
    }
    return { ...bytes, size: bytes.size, [Symbol.asyncDispose]: close }
  }
  return { repository: { open }, opened: () => count }
}

function streamAt({ fixture, points }: World, depth: number, format: DiskFormat, given = signal) {
  const [stored] = sourceOf(points[depth - 1] as never, { ...fixture, ancestors: points }).disks
  if (stored === undefined) throw new Error('the point has no disk')
  return streamStoredDisk(stored, format, { signal: given })
}

/** The disk in the file, by its own size. */
async function diskIn(file: Buffer, format: DiskFormat): Promise<Buffer> {
  if (format === 'raw') return file
  const source = memoryBlocks(file)
  const image: MappedBlocks = await (format === 'qcow2' ? openQcow2(source, { signal }) : openStreamOptimizedVmdk(source, { signal }))
  const bytes = Buffer.alloc(image.size)
  await image.readInto(bytes, 0, { signal })
  return bytes
}

describe(`a disk of a point as a stream (seed ${seed})`, () => {
  it.each(diskFormats)('is the disk at every depth of its chain, with exactly the length announced: %s', async (format) => {
    const made = await world()
    for (const depth of depths) {
      const contents = made.contents[depth - 1] as Buffer
      const stream = await streamAt(made, depth, format)
      const file = await bytesOfStream(stream.open({ signal }))
      expect(stream.size, `depth ${depth}`).toBe(format === 'vmdk' ? undefined : file.length)
      const disk = await diskIn(file, format)
      const sectors = format.startsWith('vmdk') ? Math.ceil(contents.length / 512) * 512 : contents.length
      expect(disk.length).toBe(sectors)
      expect(sha256(disk.subarray(0, contents.length)), `depth ${depth}`).toBe(sha256(contents))
      expect(disk.subarray(contents.length).every((byte) => byte === 0)).toBe(true)
      expect(stream).toMatchObject({ format, disk: { key: 'd0', name: 'root', size: contents.length } })
      await stream[Symbol.asyncDispose]()
      expect(made.opened()).toBe(0)
    }
    expect(made.fixture.clock.sleepers).toBe(0)
  })

  it('is the same again when it is opened again', async () => {
    const made = await world()
    for (const format of diskFormats) {
      const stream = await streamAt(made, 5, format)
      const [one, two] = [await bytesOfStream(stream.open({ signal })), await bytesOfStream(stream.open({ signal }))]
      expect(sha256(one), format).toBe(sha256(two))
      await stream[Symbol.asyncDispose]()
    }
  })

  it('is told by its media type', async () => {
    const types = new Map<string, string>()
    for (const format of diskFormats) types.set(format, (await encodeDisk(sparseBlocks(65_536, []), format, { signal })).mediaType)
    expect(Object.fromEntries(types)).toEqual({
      raw: 'application/octet-stream',
      qcow2: 'application/x-qemu-disk',
      vmdk: 'application/x-vnd.vmware-streamVmdk',
      'vmdk-stored': 'application/x-vnd.vmware-streamVmdk',
    })
  })

  it('refuses a format that there is not, and closes what it opened', async () => {
    const made = await world()
    await expect(streamAt(made, 5, 'vhdx' as DiskFormat)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('raw, qcow2, vmdk, vmdk-stored'),
    })
    expect(made.opened()).toBe(0)
    expect(made.fixture.clock.sleepers).toBe(0)
  })
})

describe(`a disk of which a byte was changed (seed ${seed})`, () => {
  it('ends with CHECKSUM_MISMATCH that names point and file, before any byte that is wrong, whichever layer it is in', async () => {
    const made = await world()
    const files = filesInMemory(made.fixture.repository)
    const good = made.contents[4] as Buffer
    const found = new Map<string, number>()
    for (const point of made.points) {
      const { path, dataAt, size } = imageOf(point)
      const bytes = await files.read(path)
      for (let at = dataAt; at < size; at += 65_536) {
        const changed = new Uint8Array(bytes)
        changed[at + 11] = (changed[at + 11] as number) ^ 4
        await files.write(path, changed)
        const { given, error } = await readUntilError(made)
        expect(given.equals(good.subarray(0, given.length)), `${path} at ${at}`).toBe(true)
        if (error === undefined) expect(given.length).toBe(good.length)
        else {
          expect(error).toMatchObject({ code: 'CHECKSUM_MISMATCH', message: expect.stringContaining(path) })
          expect(path).toContain(`/${point.point}/`)
          expect(given.length).toBeLessThan(good.length)
          found.set(point.point, (found.get(point.point) ?? 0) + 1)
        }
      }
      await files.write(path, bytes)
    }
    // Every layer has clusters that the newest point still shows.
    expect([...found.keys()].sort()).toEqual(['p1', 'p2', 'p3', 'p4', 'p5'])
    expect(made.opened()).toBe(0)
  })

  it.each(diskFormats)('does not even open when its tables or sums differ: %s', async (format) => {
    const made = await world()
    const files = filesInMemory(made.fixture.repository)
    for (const point of made.points)
      for (const path of [imageOf(point).path, imageOf(point).path.replace('.qcow2', '.sums')]) {
        const bytes = await files.read(path)
        const changed = new Uint8Array(bytes)
        changed[100] = (changed[100] as number) ^ 1
        await files.write(path, changed)
        await expect(streamAt(made, 5, format), path).rejects.toMatchObject({
          code: 'CHECKSUM_MISMATCH',
          message: expect.stringContaining(path),
        })
        expect(made.opened()).toBe(0)
        await files.write(path, bytes)
      }
    expect(made.fixture.clock.sleepers).toBe(0)
  })

  async function readUntilError(made: World): Promise<{ readonly given: Buffer; readonly error?: unknown }> {
    const stream = await streamAt(made, 5, 'raw')
    const given: Buffer[] = []
    try {
      for await (const chunk of stream.open({ signal })) given.push(Buffer.from(chunk))
      return { given: Buffer.concat(given) }
    } catch (error) {
      return { given: Buffer.concat(given), error }
    } finally {
      await stream[Symbol.asyncDispose]()
    }
  }
})

describe('an abort', () => {
  it.each(diskFormats)('in the middle ends the stream with its reason, and dispose closes every file: %s', async (format) => {
    for (const who of ['of the stream', 'of the disk'] as const) {
      const made = await world()
      const controller = new AbortController()
      const reason = new HoldfastError('ABORTED', 'enough')
      const ofDisk = who === 'of the disk'
      const stream = await streamAt(made, 5, format, ofDisk ? controller.signal : signal)
      const read = async () => {
        for await (const _ of stream.open({ signal: ofDisk ? signal : controller.signal })) controller.abort(reason)
      }
      await expect(read(), who).rejects.toBe(reason)
      await stream[Symbol.asyncDispose]()
      await stream[Symbol.asyncDispose]()
      expect(made.opened(), who).toBe(0)
      expect(made.fixture.clock.sleepers).toBe(0)
    }
  })

  it('before it is opened opens nothing', async () => {
    const made = await world()
    const reason = new HoldfastError('ABORTED', 'too late')
    await expect(streamAt(made, 5, 'qcow2', AbortSignal.abort(reason))).rejects.toBe(reason)
    expect(made.opened()).toBe(0)
    expect(made.fixture.clock.sleepers).toBe(0)
  })
})

describe('a disk of 1 TiB that holds little', () => {
  const size = 2 ** 40
  const ceiling = 8 * 2 ** 20

  it.each(diskFormats)('needs no more memory than a small one: %s', async (format) => {
    const offsets = Array.from({ length: 256 }, (_, place) => place * 2 ** 32)
    const memory = watchHeldMemory(ceiling)
    let bytes = 0
    const { size: announced, open } = await encodeDisk(sparseBlocks(size, offsets), format, { signal })
    for await (const chunk of open({ signal })) {
      bytes += chunk.length
      memory.look()
      // All of the zeros would take a minute.
      if (format === 'raw' && bytes > 2 ** 34) break
    }
    expect(bytes).toBe(format === 'raw' ? bytes : (announced ?? bytes))
    expect(format === 'raw' ? announced : size).toBe(size)
    expect(memory.growth()).toBeLessThan(ceiling)
  })
})
