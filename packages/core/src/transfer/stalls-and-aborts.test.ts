import { type BlocksItem, type ByteStream, HoldfastError, type StreamItem } from '@holdfast/core/spec'
import { seededRandom, tarOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { chunked, hangingStream, never, tarItem, transferFixture } from '../../test/transfer-fixture.ts'
import { vmdkItem } from '../../test/vmdk-points.ts'

const random = seededRandom(7)
const tar = tarOf(
  new Map([
    ['a/one', random.bytes(200_000)],
    ['two', random.bytes(3)],
  ]),
)
const diskBytes = new Uint8Array(1_000_448)
diskBytes.set(random.bytes(100_000), 200_000)
const disk = { key: 'disk-key', name: 'root', size: diskBytes.length }

describe('a source that hangs (faults F18)', () => {
  it('is STALLED after the time for it, its own signal aborts and it is closed', async () => {
    for (const compression of ['zstd', 'none'] as const) {
      const fixture = transferFixture()
      const open = fixture.sink({ stallMs: 5000, compression })
      let stream: ReturnType<typeof hangingStream> | undefined
      const item = open.sink.stream({
        name: 'v.tar',
        format: 'tar',
        async open(options) {
          stream = hangingStream(tar.subarray(0, 5000), options)
          return stream
        },
      })
      const failed = expect(fixture.clock.runUntil(item)).rejects.toMatchObject({
        code: 'STALLED',
        message: expect.stringContaining('v.tar'),
      })
      await failed
      expect(fixture.clock.monotonic()).toBe(5000)
      expect(stream?.seen).toEqual({ returned: true, disposed: true, aborted: true })
      expect(fixture.clock.sleepers).toBe(0)
    }
  })

  it('is STALLED in open, and what it opens too late is closed', async () => {
    const fixture = transferFixture()
    const open = fixture.sink({ stallMs: 5000 })
    let answer: ((stream: ByteStream) => void) | undefined
    const item = open.sink.stream({ name: 'v.tar', format: 'tar', open: () => new Promise<ByteStream>((resolve) => (answer = resolve)) })
    await expect(fixture.clock.runUntil(item)).rejects.toMatchObject({ code: 'STALLED' })
    const late = hangingStream(tar, { signal: never() })
    answer?.(late)
    await new Promise((resolve) => setImmediate(resolve))
    expect(late.seen.disposed).toBe(true)
  })

  it('is STALLED when a read of a disk hangs, even if it ignores its signal', async () => {
    const fixture = transferFixture()
    let disposed = 0
    const item: BlocksItem = {
      disk,
      covers: 'unmapped',
      open: async () => ({
        size: disk.size,
        readInto: () => new Promise<void>(() => {}),
        async [Symbol.asyncDispose]() {
          disposed++
        },
      }),
    }
    await expect(fixture.clock.runUntil(fixture.sink({ stallMs: 5000 }).sink.blocks(item))).rejects.toMatchObject({ code: 'STALLED' })
    expect(disposed).toBe(1)
    expect(fixture.clock.sleepers).toBe(0)
  })

  it('is not stalled while it drips, or while the throttle or a full house holds it back', async () => {
    const fixture = transferFixture()
    const { clock } = fixture
    const drip = (name: string, count: number, bytes: number): StreamItem => ({
      name,
      format: 'bytes',
      async open(options) {
        const chunks = async function* () {
          for (let index = 0; index < count; index++) {
            await clock.sleep(4000, options)
            yield Buffer.alloc(bytes)
          }
        }
        return chunks()
      },
    })
    const slow = fixture.sink({ stallMs: 5000, parallel: 1, bytesPerSecond: 10 })
    await clock.runUntil(Promise.all([slow.sink.stream(drip('a', 10, 1)), slow.sink.stream(drip('b', 2, 1000))]))
    expect(clock.monotonic()).toBeGreaterThan(200_000)
  })

  it('is STALLED too when the repository takes no bytes any more', async () => {
    const fixture = transferFixture()
    const repository = {
      ...fixture.repository,
      put: async (_: string, bytes: ByteStream) => {
        for await (const _chunk of bytes) await new Promise(() => {})
        return { size: 0 }
      },
    }
    const open = fixture.sink({ repository, stallMs: 5000, compression: 'none' })
    await expect(fixture.clock.runUntil(open.sink.stream(tarItem('v.tar', tar)))).rejects.toMatchObject({ code: 'STALLED' })
  })
})

describe('an abort', () => {
  it('ends a backup at any chunk, with the reason, and closes everything', async () => {
    const big = tarOf(new Map([['a', random.bytes(3_000_000)]]))
    let aborted = 0
    for (const compression of ['zstd', 'gzip', 'none'] as const)
      for (let at = 0; at < 12; at++) {
        const fixture = transferFixture()
        const controller = new AbortController()
        const reason = new HoldfastError('RUN_CANCELLED', 'somebody pressed the button')
        const seen = { closed: false, disposed: false }
        const open = fixture.sink({ compression, signal: controller.signal })
        const item: StreamItem = {
          name: 'v.tar',
          format: 'tar',
          async open() {
            const chunks = async function* () {
              try {
                let count = 0
                for await (const chunk of chunked(big, 300_000)) {
                  if (count++ === at) controller.abort(reason)
                  yield chunk
                }
              } finally {
                seen.closed = true
              }
            }
            const dispose = async () => {
              seen.disposed = true
            }
            return { [Symbol.asyncIterator]: chunks, [Symbol.asyncDispose]: dispose }
          },
        }
        const outcome = await open.sink.stream(item).then(
          () => 'stored',
          (error: unknown) => error,
        )
        if (at < 11) {
          expect(outcome, `${compression} at chunk ${at}`).toBe(reason)
          await expect(open.finish({ signal: never() })).rejects.toBe(reason)
          aborted++
        } else expect(outcome).toBe('stored')
        expect(seen).toEqual({ closed: true, disposed: true })
        expect(fixture.clock.sleepers).toBe(0)
        if (at < 11) expect([...fixture.repository.snapshot().keys()].filter((path) => !path.includes('.index'))).toEqual([])
      }
    expect(aborted).toBe(33)
  })

  it('before anything refuses everything, without a reason as ABORTED', async () => {
    const controller = new AbortController()
    controller.abort()
    const open = transferFixture().sink({ signal: controller.signal })
    await expect(open.sink.stream(tarItem('v.tar', tar))).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(open.finish({ signal: never() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('ends what waits for a slot, which is then never opened', async () => {
    const controller = new AbortController()
    const open = transferFixture().sink({ signal: controller.signal, parallel: 1 })
    let opened = 0
    const item = (name: string): StreamItem => ({
      name,
      format: 'bytes',
      async open(options) {
        opened++
        return hangingStream(tar, options)
      },
    })
    const all = Promise.allSettled([open.sink.stream(item('a')), open.sink.stream(item('b')), open.sink.stream(item('c'))])
    await new Promise((resolve) => setImmediate(resolve))
    controller.abort()
    expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(opened).toBe(1)
  })
})

describe('a scratch disk that hangs', () => {
  it.each(['open', 'write', 'readInto'] as const)(
    'in %s is STALLED after the time for it, and holds up nobody who ends the backup',
    async (at) => {
      const fixture = transferFixture()
      const hangs = () => new Promise<never>(() => {})
      let pending: Promise<unknown> = Promise.resolve()
      const call = (name: string): Promise<unknown> => {
        if (name !== at) return Promise.resolve()
        pending = hangs()
        return pending
      }
      const file = {
        write: () => call('write') as Promise<void>,
        readInto: () => call('readInto') as Promise<void>,
        [Symbol.asyncDispose]: async () => void (await pending),
      }
      const scratch = { open: async () => call('open').then(() => file) }
      const open = fixture.sink({ stallMs: 5000, scratch })
      const disk = seededRandom(3).bytes(100_000)
      await expect(fixture.clock.runUntil(open.sink.stream(vmdkItem(disk)))).rejects.toMatchObject({ code: 'STALLED' })
      await fixture.clock.runUntil(Promise.resolve(open[Symbol.asyncDispose]()))
    },
  )
})
