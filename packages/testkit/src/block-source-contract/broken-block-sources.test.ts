import type { Extent, MappedBlocks } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { collectingRunner } from '../collecting-runner.ts'
import { memoryMappedBlocks } from '../memory-blocks.ts'
import { blockSourceContract } from './block-source-contract.ts'
import { diskForTests } from './disk-for-tests.ts'

const bytes = diskForTests()
const changedExtents = (sound: MappedBlocks, change: (extent: Extent) => readonly Extent[]): Partial<MappedBlocks> => ({
  async *extents(options) {
    for await (const extent of sound.extents(options)) yield* change(extent)
  },
})

/** Each breaks one promise of a source that keeps all others. */
const broken: {
  readonly [mistake: string]: { readonly caughtBy: string; readonly breakIt: (sound: MappedBlocks) => Partial<MappedBlocks> }
} = {
  'reads from one position, whoever asks': {
    caughtBy: 'reads > gives the same to as many readers at once',
    breakIt(sound) {
      let position = 0
      return {
        async readInto(target, offset, options) {
          position = offset
          await Promise.resolve()
          await sound.readInto(target, Math.min(position, sound.size - target.length), options)
        },
      }
    },
  },
  'gives fewer bytes at the end instead of rejecting': {
    caughtBy: 'reads > rejects a range that leaves it',
    breakIt: (sound) => ({
      async readInto(target, offset, options) {
        if (offset < 0 || offset >= sound.size) return
        await sound.readInto(target.subarray(0, sound.size - offset), offset, options)
      },
    }),
  },
  'fills the whole buffer behind the target': {
    caughtBy: 'reads > gives any range in any order',
    breakIt: (sound) => ({
      async readInto(target, offset, options) {
        await sound.readInto(target, offset, options)
        new Uint8Array(target.buffer).fill(0, target.byteOffset + target.length)
      },
    }),
  },
  'says another size': { caughtBy: 'reads > says its size', breakIt: (sound) => ({ size: Math.ceil(sound.size / 65536) * 65536 }) },
  'gives its extents only once': {
    caughtBy: 'extents > are the same when they are asked for again',
    breakIt(sound) {
      let asked = 0
      return {
        async *extents(options) {
          if (asked++ === 0) yield* sound.extents(options)
        },
      }
    },
  },
  'leaves out data': {
    caughtBy: 'extents > tell the truth',
    breakIt: (sound) => changedExtents(sound, (extent) => (extent.offset === 0 ? [] : [extent])),
  },
  'calls data zero': {
    caughtBy: 'extents > tell the truth',
    breakIt: (sound) => changedExtents(sound, (extent) => [{ ...extent, kind: 'zero' }]),
  },
  'gives a finer map': {
    caughtBy: 'extents > are in guest order, disjoint, aligned',
    breakIt: (sound) =>
      changedExtents(sound, (extent) => [
        { ...extent, length: 512 },
        { ...extent, offset: extent.offset + 512, length: extent.length - 512 },
      ]),
  },
  'gives an extent twice': {
    caughtBy: 'extents > are in guest order, disjoint, aligned',
    breakIt: (sound) => changedExtents(sound, (extent) => [extent, extent]),
  },
  'ignores the signal': {
    caughtBy: 'life > rejects reads and extents when the signal is aborted',
    breakIt: (sound) => ({ readInto: (target, offset) => sound.readInto(target, offset, { signal: new AbortController().signal }) }),
  },
  'goes on after dispose': { caughtBy: 'life > frees what it holds', breakIt: () => ({ async [Symbol.asyncDispose]() {} }) },
  'cannot be disposed of twice': {
    caughtBy: 'life > frees what it holds',
    breakIt(sound) {
      let disposed = false
      return {
        async [Symbol.asyncDispose]() {
          if (disposed) throw new Error('closed already')
          disposed = true
          await sound[Symbol.asyncDispose]()
        },
      }
    },
  },
}

describe('the block source suite catches a source that', () => {
  for (const [mistake, { caughtBy, breakIt }] of Object.entries(broken)) {
    it(mistake, async () => {
      const { runner, results } = collectingRunner()
      blockSourceContract({
        ...runner,
        async create() {
          const sound = memoryMappedBlocks(bytes, { readers: 4 })
          return { source: { ...sound, ...breakIt(sound) }, bytes }
        },
      })
      const failed = (await results()).filter(({ error }) => error !== undefined).map(({ name }) => name)
      expect(
        failed.some((name) => name.startsWith(caughtBy)),
        `caught by: ${failed.join('; ') || 'nothing'}`,
      ).toBe(true)
    })
  }
})
