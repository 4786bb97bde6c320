import assert from 'node:assert/strict'
import type { BlockSource, Extent, MappedBlocks } from '@holdfast/core/spec'
import { clusterBytes, isZero } from '../bytes.ts'
import type { ContractRunner } from '../contract-runner.ts'
import { seededRandom } from '../random.ts'

/** One open source for one test, and the bytes it must give. */
export interface BlockSourceUnderTest extends Partial<AsyncDisposable> {
  readonly source: BlockSource | MappedBlocks
  readonly bytes: Uint8Array
  /** `changes`: gaps between extents say nothing. Default `all`: they are zero. */
  readonly covers?: 'all' | 'changes'
  /** Does it still hold a file, a connection or the like? Asked after dispose. */
  isOpen?(): Promise<boolean>
}
/** What {@link blockSourceContract} needs: a test runner, and sources. */
export interface BlockSourceContractOptions extends ContractRunner {
  /** Opens one source for each test. The suite disposes the source, then what came with it; a test may have disposed the source already. */
  create(): Promise<BlockSourceUnderTest>
}

type Tests = { readonly [name: string]: (fixture: BlockSourceUnderTest) => Promise<void> }
const options = { signal: new AbortController().signal }
const aborted = { signal: AbortSignal.abort(new Error('aborted by the contract')) }
const seed = 20261120

/**
 * What every block source must do, as tests; what it says of extents only for sources that have them. Sources of at least two clusters,
 * the last one not full, with data and zeros show most.
 *
 * @example
 * ```ts
 * blockSourceContract({ describe, it, create: async () => ({ source: await openRawFile(path, options), bytes }) })
 * ```
 */
export function blockSourceContract({ describe, it, create }: BlockSourceContractOptions): void {
  for (const [group, tests] of Object.entries({ reads: readTests, extents: extentTests, life: lifeTests })) {
    describe(group, () => {
      for (const [name, body] of Object.entries(tests)) it(name, () => withSource(create, body))
    })
  }
}

async function withSource(
  create: () => Promise<BlockSourceUnderTest>,
  body: (fixture: BlockSourceUnderTest) => Promise<void>,
): Promise<void> {
  const fixture = await create()
  try {
    await body(fixture)
  } finally {
    await fixture.source[Symbol.asyncDispose]()
    await fixture[Symbol.asyncDispose]?.()
  }
}

/** The target lies inside a larger buffer whose other bytes must stay as they are. */
async function readGuarded({ source, bytes }: BlockSourceUnderTest, offset: number, length: number): Promise<void> {
  const guard = 64
  const buffer = new Uint8Array(length + 2 * guard).fill(0xa5)
  await source.readInto(buffer.subarray(guard, guard + length), offset, options)
  const where = `bytes ${offset} to ${offset + length} of ${bytes.length}`
  assert.ok(
    Buffer.compare(buffer.subarray(guard, guard + length), bytes.subarray(offset, offset + length)) === 0,
    `${where} are not what they should be`,
  )
  assert.ok(
    [...buffer.subarray(0, guard), ...buffer.subarray(guard + length)].every((byte) => byte === 0xa5),
    `${where}: written beside the target`,
  )
}

const readTests: Tests = {
  'says its size, how many may read and how much at once': async ({ source, bytes }) => {
    assert.equal(source.size, bytes.length)
    for (const limit of [source.readers ?? 1, source.readBytes ?? 1])
      assert.ok(Number.isSafeInteger(limit) && limit > 0, `a limit of ${limit}`)
  },
  'gives all its bytes in pieces of its favourite length, and again backwards': async (fixture) => {
    const step = fixture.source.readBytes ?? 1 << 20
    const offsets = Array.from({ length: Math.ceil(fixture.bytes.length / step) }, (_, index) => index * step)
    for (const offset of [...offsets, ...offsets.toReversed()])
      await readGuarded(fixture, offset, Math.min(step, fixture.bytes.length - offset))
  },
  [`gives any range in any order (seed ${seed})`]: async (fixture) => {
    const random = seededRandom(seed)
    for (let count = 0; count < 100; count++) {
      const offset = random.below(fixture.bytes.length)
      await readGuarded(fixture, offset, 1 + random.below(Math.min(3 * clusterBytes, fixture.bytes.length - offset)))
    }
    await readGuarded(fixture, fixture.bytes.length - 1, 1)
  },
  [`gives the same to as many readers at once as it allows (seed ${seed})`]: async (fixture) => {
    const random = seededRandom(seed)
    for (let round = 0; round < 10; round++) {
      const reader = () => {
        const offset = random.below(fixture.bytes.length)
        return readGuarded(fixture, offset, Math.min(100_000, fixture.bytes.length - offset))
      }
      await Promise.all(Array.from({ length: fixture.source.readers ?? 1 }, reader))
    }
  },
  'rejects a range that leaves it, instead of giving fewer bytes': async ({ source, bytes }) => {
    for (const [offset, length] of [
      [bytes.length, 1],
      [bytes.length - 1, 2],
      [bytes.length + 4096, 1],
      [-1, 2],
    ] as const) {
      await assert.rejects(
        source.readInto(new Uint8Array(length), offset, options),
        `a read of ${length} bytes at ${offset} of ${bytes.length}`,
      )
    }
  },
}

async function extentsOf(source: MappedBlocks): Promise<readonly Extent[]> {
  const extents: Extent[] = []
  for await (const { offset, length, kind } of source.extents(options)) extents.push({ offset, length, kind })
  return extents
}

const mapped = (test: (source: MappedBlocks, fixture: BlockSourceUnderTest) => Promise<void>) => async (fixture: BlockSourceUnderTest) => {
  if ('extents' in fixture.source) return test(fixture.source, fixture)
  assert.equal('extents' in fixture.source, false) // it does not know where its data is
}

const extentTests: Tests = {
  'are in guest order, disjoint, aligned to 64 KiB but at the end, and inside the source': mapped(async (source) => {
    let end = 0
    for (const { offset, length, kind } of await extentsOf(source)) {
      const where = `extent ${offset}+${length}`
      assert.ok(kind === 'data' || kind === 'zero', `${where}: kind "${kind}"`)
      assert.ok(length > 0 && offset >= end, `${where} is empty, overlaps, or comes before the one that ends at ${end}`)
      end = offset + length
      assert.ok(offset % clusterBytes === 0 && (end % clusterBytes === 0 || end === source.size), `${where} is not aligned`)
      assert.ok(end <= source.size, `${where} leaves the source of ${source.size} bytes`)
    }
  }),
  'are the same when they are asked for again, also half-way and while it is read': mapped(async (source, { bytes }) => {
    const first = await extentsOf(source)
    for await (const _ of source.extents(options)) break
    const seen: Extent[] = []
    for await (const { offset, length, kind } of source.extents(options)) {
      await source.readInto(new Uint8Array(Math.min(length, bytes.length - offset)), offset, options)
      seen.push({ offset, length, kind })
      assert.deepEqual(await extentsOf(source), first)
    }
    assert.deepEqual(seen, first)
  }),
  'tell the truth: zeros are zero, and so is what no extent names if they cover all': mapped(async (source, { bytes, covers = 'all' }) => {
    let end = 0
    const extents = await extentsOf(source)
    for (const { offset, length, kind } of [...extents, { offset: bytes.length, length: 0, kind: 'data' as const }]) {
      if (covers === 'all')
        assert.ok(isZero(bytes.subarray(end, offset)), `there is data between ${end} and ${offset}, which no extent names`)
      if (kind === 'zero') assert.ok(isZero(bytes.subarray(offset, offset + length)), `there is data in the zero extent at ${offset}`)
      end = offset + length
    }
  }),
}

const lifeTests: Tests = {
  'rejects reads and extents when the signal is aborted, and goes on afterwards': async (fixture) => {
    const { source } = fixture
    await assert.rejects(source.readInto(new Uint8Array(1), 0, aborted), 'a read with an aborted signal')
    if ('extents' in source) {
      const walk = async () => {
        for await (const { offset } of source.extents(aborted)) assert.ok(offset >= 0)
      }
      await assert.rejects(walk(), 'extents with an aborted signal')
    }
    await readGuarded(fixture, 0, 1)
  },
  'frees what it holds when it is disposed of, rejects reads then, and may be disposed of again': async ({ source, isOpen }) => {
    await source[Symbol.asyncDispose]()
    assert.equal(await isOpen?.(), isOpen && false, 'it still holds something after dispose')
    await assert.rejects(source.readInto(new Uint8Array(1), 0, options), 'a read after dispose')
    await source[Symbol.asyncDispose]()
  },
}
