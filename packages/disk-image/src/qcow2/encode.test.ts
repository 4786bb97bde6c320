import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  all,
  change,
  collect,
  failure,
  fullImage,
  imageOf,
  memoryBlocks,
  never,
  noise,
  openImage,
  options,
  randomFrom,
  readAll,
  withExtents,
} from '../../test/support.ts'
import type { Extent } from '../blocks.ts'
import { clusterBytes, clustersOf, isZero } from '../clusters.ts'
import { mapBlocks } from '../map-blocks.ts'
import { encodeQcow2 } from './encode.ts'

const padded = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(clusterBytes - bytes.length)])
const sumOfBytes = (bytes: Buffer) => createHash('sha256').update(padded(bytes)).digest('hex').slice(0, 32)

describe('encodeQcow2', () => {
  it.each([1, 2, 3, 4, 5, 6])('writes a full image that reads back, with the sums of its clusters, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(Math.floor(random() * 6_000_000))
    change(disk, random, 12)
    const { file, sums, metadataBytes } = await fullImage(disk)
    const layer = await openImage(file)
    expect(layer.size).toBe(disk.length)
    expect(layer.metadataBytes).toBe(metadataBytes)
    expect((await readAll(layer)).equals(disk)).toBe(true)
    const expected = Array.from({ length: clustersOf(disk.length) }, (_, index) => ({
      index,
      bytes: disk.subarray(index * clusterBytes, (index + 1) * clusterBytes),
    }))
    expect(sums.map(({ index, kind, sum }) => `${index} ${kind} ${Buffer.from(sum).toString('hex')}`)).toEqual(
      expected.filter(({ bytes }) => !isZero(bytes)).map(({ index, bytes }) => `${index} data ${sumOfBytes(bytes)}`),
    )
  })

  it.each([0, 1, 2, 511, 512, 513, clusterBytes - 1, clusterBytes, clusterBytes + 1])(
    'keeps the exact size of a disk of %i bytes',
    async (size) => {
      const disk = noise(size, randomFrom(size + 1))
      const layer = await openImage((await fullImage(disk)).file)
      expect(layer.size).toBe(size)
      expect((await readAll(layer)).equals(disk)).toBe(true)
    },
  )

  it('is the same stream each time it is opened', async () => {
    const disk = Buffer.alloc(2_000_000)
    change(disk, randomFrom(9), 6)
    const encoded = await encodeQcow2(await mapBlocks(memoryBlocks(disk, 4), options), { covers: 'all', signal: never })
    const once = await collect(encoded.open(options))
    expect(once.length).toBe(encoded.size)
    expect((await collect(encoded.open(options))).equals(once)).toBe(true)
  })

  it('writes zero extents of changes as zero clusters, of a full image not at all', async () => {
    const disk = noise(3 * clusterBytes, randomFrom(1))
    disk.fill(0, clusterBytes, 2 * clusterBytes)
    const extents: Extent[] = [
      { offset: 0, length: clusterBytes, kind: 'data' },
      { offset: clusterBytes, length: clusterBytes, kind: 'zero' },
    ]
    const changes = await imageOf(withExtents(memoryBlocks(disk), extents), { covers: 'changes', backing: '../old/disk.qcow2' })
    const layer = await openImage(changes.file)
    expect(await all(layer.extents(options))).toEqual(extents)
    expect(layer.backingName).toBe('../old/disk.qcow2')
    expect(changes.sums.map(({ index, kind }) => [index, kind])).toEqual([
      [0, 'data'],
      [1, 'zero'],
    ])
    const full = await imageOf(withExtents(memoryBlocks(disk), extents), { covers: 'all' })
    expect(await all((await openImage(full.file)).extents(options))).toEqual([extents[0]])
    expect(full.sums.length).toBe(1)
  })

  it.each<[string, Extent[]]>([
    ['unaligned start', [{ offset: 512, length: clusterBytes - 512, kind: 'data' }]],
    ['unaligned end', [{ offset: 0, length: 100, kind: 'data' }]],
    ['past the end', [{ offset: 2 * clusterBytes, length: clusterBytes, kind: 'data' }]],
    ['empty', [{ offset: 0, length: 0, kind: 'data' }]],
    ['negative', [{ offset: -clusterBytes, length: clusterBytes, kind: 'zero' }]],
    ['not a number', [{ offset: Number.NaN, length: clusterBytes, kind: 'data' }]],
    [
      'out of order',
      [
        { offset: clusterBytes, length: clusterBytes, kind: 'data' },
        { offset: 0, length: clusterBytes, kind: 'data' },
      ],
    ],
    [
      'overlapping',
      [
        { offset: 0, length: 2 * clusterBytes, kind: 'data' },
        { offset: clusterBytes, length: clusterBytes, kind: 'zero' },
      ],
    ],
  ])('refuses an extent that is %s', async (_, extents) => {
    const blocks = withExtents(memoryBlocks(Buffer.alloc(2 * clusterBytes + 100)), extents)
    expect(await failure(() => encodeQcow2(blocks, { covers: 'changes', signal: never }))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('keeps L2 tables apart', async () => {
    const table = 8192 * clusterBytes
    const extents: Extent[] = [
      { offset: 5 * clusterBytes, length: clusterBytes, kind: 'data' },
      { offset: table - clusterBytes, length: 2 * clusterBytes, kind: 'data' },
      { offset: table + 9 * clusterBytes, length: clusterBytes, kind: 'zero' },
      { offset: 3 * table + 7 * clusterBytes, length: 100, kind: 'data' },
    ]
    const source = { ...memoryBlocks(Buffer.alloc(0)), size: 3 * table + 7 * clusterBytes + 100 }
    const readInto = async (target: Uint8Array, offset: number) => void target.fill(1 + ((offset / clusterBytes) % 250))
    const { file } = await imageOf(withExtents({ ...source, readInto }, extents), { covers: 'changes' })
    const layer = await openImage(file)
    expect(await all(layer.extents(options))).toEqual(extents)
    const part = Buffer.alloc(100)
    await layer.readInto(part, 3 * table + 7 * clusterBytes, options)
    expect(part.equals(Buffer.alloc(100, 1 + ((3 * 8192 + 7) % 250)))).toBe(true)
  })

  it.each([8, 40])('leaves a lent chunk alone until the next one is asked for, with %i MiB', async (mebibytes) => {
    const disk = noise(mebibytes * 1024 * 1024, randomFrom(mebibytes))
    const encoded = await encodeQcow2(await mapBlocks(memoryBlocks(disk, 4), options), { covers: 'all', signal: never })
    const whole = createHash('sha256')
    for await (const chunk of encoded.open(options)) {
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      whole.update(chunk)
    }
    const expected = createHash('sha256')
      .update((await collect(encoded.open(options))).subarray(0, encoded.metadataBytes))
      .update(disk)
    expect(whole.digest('hex')).toBe(expected.digest('hex'))
  })

  it('breaks the stream when the source answers other extents the second time', async () => {
    const source = memoryBlocks(noise(4 * clusterBytes, randomFrom(2)))
    let calls = 0
    const blocks = {
      ...withExtents(source, []),
      async *extents(): AsyncGenerator<Extent> {
        calls += 1
        yield { offset: (calls === 3 ? 1 : 0) * clusterBytes, length: clusterBytes, kind: 'data' }
      },
    }
    const encoded = await encodeQcow2(blocks, { covers: 'all', signal: never })
    expect(await failure(() => collect(encoded.open(options)))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it.each(['', '/absolute/disk.qcow2', 'nbd://host/disk', 'json:{"driver":"file"}', 'a\0b', 'a\nb', 'x'.repeat(1024)])(
    'refuses the backing name %j',
    async (backing) => {
      const blocks = withExtents(memoryBlocks(Buffer.alloc(512)), [])
      expect(await failure(() => encodeQcow2(blocks, { covers: 'changes', backing, signal: never }))).toMatchObject({
        code: 'INVALID_OPTIONS',
      })
    },
  )

  it('breaks off with the error of a read, with nothing left running', async () => {
    const source = memoryBlocks(noise(8 * 1024 * 1024, randomFrom(3)), 4)
    const broken = new Error('disk on fire')
    let running = 0
    const blocks = withExtents(
      {
        ...source,
        async readInto(target, offset, callOptions) {
          running += 1
          await source.readInto(target, offset, callOptions).finally(() => {
            running -= 1
          })
          if (offset >= 3 * 1024 * 1024) throw broken
        },
      },
      [{ offset: 0, length: source.size, kind: 'data' }],
    )
    const encoded = await encodeQcow2(blocks, { covers: 'all', signal: never })
    await expect(collect(encoded.open(options))).rejects.toBe(broken)
    expect(running).toBe(0)
  })

  it('stops reading when the reader leaves, or the signal is aborted', async () => {
    const source = memoryBlocks(noise(8 * 1024 * 1024, randomFrom(4)), 4)
    const blocks = withExtents(source, [{ offset: 0, length: source.size, kind: 'data' }])
    const encoded = await encodeQcow2(blocks, { covers: 'all', signal: never })
    for await (const chunk of encoded.open(options)) if (chunk.length > 0) break
    const stop = new AbortController()
    const reason = new Error('enough')
    let chunks = 0
    const reading = async () => {
      for await (const chunk of encoded.open({ signal: stop.signal })) {
        chunks += chunk.length > 0 ? 1 : 0
        if (chunks === 3) stop.abort(reason)
      }
    }
    await expect(reading()).rejects.toBe(reason)
    expect(chunks).toBeLessThan(8)
  })

  it('waits for whoever takes the sums, and fails with him', async () => {
    const blocks = await mapBlocks(memoryBlocks(noise(3 * 1024 * 1024, randomFrom(5))), options)
    const full = new Error('sums are full')
    let taken = 0
    const onSums = async () => {
      taken += 1
      if (taken === 2) throw full
    }
    const encoded = await encodeQcow2(blocks, { covers: 'all', signal: never, onSums })
    await expect(collect(encoded.open(options))).rejects.toBe(full)
    expect(taken).toBe(2)
  })
})
