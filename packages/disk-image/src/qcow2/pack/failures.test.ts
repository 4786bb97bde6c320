import { describe, expect, it } from 'vitest'
import { abortListeners, alive, contentOf, memoryTarget, withThreads } from '../../../test/pack-support.ts'
import { failure, memoryBlocks, never, noise, options, randomFrom, withExtents } from '../../../test/support.ts'
import type { BlockSource, Extent, MappedBlocks } from '../../blocks.ts'
import { clusterBytes } from '../../clusters.ts'
import { mapBlocks } from '../../map-blocks.ts'
import { packQcow2 } from './pack.ts'
import type { PackTarget } from './target.ts'

const clusters = 300
const disk = contentOf('mixed', clusters * clusterBytes, randomFrom(4))
const full = { covers: 'all', codec: 'deflate', signal: never } as const
const wholeDisk: Extent = { offset: 0, length: disk.length, kind: 'data' }

/** A disk that counts the reads that are under way, and does something else at one of them. */
function source(at: number, otherwise: (read: () => Promise<void>) => Promise<void>): MappedBlocks & { running(): number } {
  const blocks: BlockSource = memoryBlocks(disk, 4)
  let running = 0
  return {
    ...withExtents(blocks, [wholeDisk]),
    readers: 4,
    running: () => running,
    async readInto(target, offset, callOptions) {
      const read = () => blocks.readInto(target, offset, callOptions)
      running += 1
      try {
        await (offset <= at * clusterBytes && at * clusterBytes < offset + target.length ? otherwise(read) : read())
      } finally {
        running -= 1
      }
    },
  }
}
const ordinary = () => source(-1, (read) => read())

/** A target that does something at its third write. */
function targetThat(does: () => Promise<void> | void): PackTarget & { running(): number; magic(): boolean } {
  const inner = memoryTarget()
  let [writes, running] = [0, 0]
  return {
    running: () => running,
    magic: () => inner.writes.includes(0),
    async write(...parameters) {
      running += 1
      try {
        writes += 1
        if (writes === 3) await does()
        await inner.write(...parameters)
      } finally {
        running -= 1
      }
    },
  }
}

describe('packQcow2 leaves no thread, no read and no write behind', () => {
  it('when the source fails', async () => {
    const broken = new Error('disk on fire')
    for (const at of [0, 150, clusters - 1])
      await withThreads(async (threads) => {
        const blocks = source(at, () => Promise.reject(broken))
        await expect(packQcow2(blocks, memoryTarget(), full)).rejects.toBe(broken)
        expect(threads.length).toBe(2)
        expect([alive(threads), blocks.running()]).toEqual([0, 0])
      })
  })

  it('when the target fails', async () => {
    const broken = new Error('no space left')
    await withThreads(async (threads) => {
      const blocks = ordinary()
      const target = targetThat(() => Promise.reject(broken))
      await expect(packQcow2(blocks, target, full)).rejects.toBe(broken)
      expect([alive(threads), blocks.running(), target.running(), target.magic()]).toEqual([0, 0, 0, false])
    })
  })

  it('when whoever takes the sums fails', async () => {
    const broken = new Error('sums are full')
    await withThreads(async (threads) => {
      const blocks = ordinary()
      let taken = 0
      const onSums = async () => {
        taken += 1
        if (taken === 2) throw broken
      }
      await expect(packQcow2(blocks, memoryTarget(), { ...full, onSums })).rejects.toBe(broken)
      expect(taken).toBe(2)
      expect([alive(threads), blocks.running()]).toEqual([0, 0])
    })
  })

  it('when it is aborted during a read, or a write, and it takes the reason along', async () => {
    const reason = new Error('enough')
    for (const during of ['read', 'write'])
      await withThreads(async (threads) => {
        const stop = new AbortController()
        const abort = async () => stop.abort(reason)
        const blocks = during === 'read' ? source(100, (read) => abort().then(read)) : ordinary()
        const target = targetThat(during === 'write' ? abort : () => undefined)
        await expect(packQcow2(blocks, target, { ...full, signal: stop.signal })).rejects.toBe(reason)
        expect([alive(threads), blocks.running(), target.running(), target.magic()]).toEqual([0, 0, 0, false])
        expect(abortListeners(stop.signal)).toBe(0)
      })
  })

  it('when it was aborted before it began', async () => {
    const reason = new Error('not at all')
    await withThreads(async (threads) => {
      await expect(packQcow2(ordinary(), memoryTarget(), { ...full, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
      expect(threads.length).toBe(0)
    })
  })

  it('when a thread dies', async () => {
    for (const at of [0, 100, clusters - 1])
      await withThreads(async (threads) => {
        const blocks = source(at, async (read) => {
          await new Promise((resolve) => setImmediate(resolve)) // until threads that were just started are known
          await threads[1]?.terminate()
          await read()
        })
        const target = memoryTarget()
        expect(await failure(() => packQcow2(blocks, target, full))).toMatchObject({ name: 'DiskImageError', code: 'INTERNAL' })
        expect(threads.length).toBe(2)
        expect([alive(threads), blocks.running(), target.writes.includes(0)]).toEqual([0, 0, false])
      })
  })

  it('when all is well', async () => {
    await withThreads(async (threads) => {
      const stop = new AbortController()
      await packQcow2(ordinary(), memoryTarget(), { ...full, workers: 3, signal: stop.signal })
      expect(threads.length).toBe(3)
      expect([alive(threads), abortListeners(stop.signal)]).toEqual([0, 0])
    })
  })
})

describe('packQcow2 refuses', () => {
  it.each([
    ['a backing name that is not relative', { backing: '/etc/shadow' }],
    ['no workers', { workers: 0 }],
    ['half a worker', { workers: 1.5 }],
    ['too many workers', { workers: 65 }],
    ['a codec that nobody knows', { codec: 'lzma' as 'zstd' }],
  ])('%s', async (_, given) => {
    const blocks = withExtents(memoryBlocks(disk), [wholeDisk])
    expect(await failure(() => packQcow2(blocks, memoryTarget(), { ...full, ...given }))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })

  it('a source that answers other extents the second time', async () => {
    const first = { offset: 5 * clusterBytes, length: 2 * clusterBytes, kind: 'data' } as const
    const far = { ...first, offset: 9000 * clusterBytes }
    const passes: [Extent[], Extent[]][] = [
      [[first], []],
      [[first], [{ ...first, length: clusterBytes }]],
      [[first], [wholeDisk]],
      [[first], [first, far]],
      [[first], [far]],
      [[], [wholeDisk]],
    ]
    for (const [once, again] of passes) {
      const source = { ...memoryBlocks(noise(clusterBytes, randomFrom(1))), size: 10_000 * clusterBytes }
      let calls = 0
      const blocks: MappedBlocks = {
        ...source,
        readInto: async (target) => void target.fill(1),
        async *extents() {
          calls += 1
          yield* calls === 1 ? once : again
        },
      }
      const target = memoryTarget()
      expect(await failure(() => packQcow2(blocks, target, full))).toMatchObject({ code: 'INVALID_OPTIONS' })
      expect(target.writes).not.toContain(0)
    }
  })

  it('an extent that leaves the disk', async () => {
    const blocks = withExtents(memoryBlocks(disk), [{ ...wholeDisk, length: disk.length + clusterBytes }])
    expect(await failure(() => packQcow2(blocks, memoryTarget(), full))).toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

describe('packQcow2', () => {
  it('waits for whoever takes the sums', async () => {
    const blocks = await mapBlocks(memoryBlocks(disk, 4), options)
    let [running, batches] = [0, 0]
    const onSums = async () => {
      running += 1
      expect(running).toBe(1)
      for (let turns = 0; turns < 20; turns += 1) await new Promise((resolve) => setImmediate(resolve))
      running -= 1
      batches += 1
    }
    await packQcow2(blocks, memoryTarget(), { ...full, onSums })
    expect(running).toBe(0)
    expect(batches).toBeGreaterThan(2)
  })
})
