import { type ByteStream, HoldfastError, type StreamItem } from '@holdfast/core/spec'
import { seededRandom, tarOf } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesItem, chunked, hangingStream, never, tarItem, transferFixture } from '../../test/transfer-fixture.ts'
import { createProgressMeter } from './progress-meter.ts'

const random = seededRandom(7)
const tar = tarOf(
  new Map([
    ['a/one', random.bytes(200_000)],
    ['two', random.bytes(3)],
  ]),
)
const diskBytes = new Uint8Array(1_000_448)
diskBytes.set(random.bytes(100_000), 200_000)
const file = (fixture: ReturnType<typeof transferFixture>, path: string) => Buffer.from(fixture.repository.snapshot().get(path) ?? '')

describe('the sink', () => {
  it('opens each item once, and only when a slot is free', async () => {
    const fixture = transferFixture()
    const open = fixture.sink({ parallel: 2 })
    let active = 0
    let most = 0
    let opened = 0
    const item = (name: string): StreamItem => ({
      name,
      format: 'bytes',
      async open() {
        opened++
        most = Math.max(most, ++active)
        const chunks = async function* () {
          for (let count = 0; count < 5; count++) {
            await new Promise((resolve) => setImmediate(resolve))
            yield Buffer.alloc(10, count)
          }
          active--
        }
        return chunks()
      },
    })
    await Promise.all(Array.from({ length: 9 }, (_, index) => open.sink.stream(item(`f${index}`))))
    expect([opened, most]).toEqual([9, 2])
    const { items } = await open.finish({ signal: never() })
    expect(items.map((entry) => entry.file.path)).toEqual(Array.from({ length: 9 }, (_, index) => `1/f${index}`))
  })

  it('takes nothing after finish, and finishes once', async () => {
    const open = transferFixture().sink()
    await open.sink.stream(bytesItem('a', tar))
    await open.finish({ signal: never() })
    await expect(open.sink.stream(bytesItem('b', tar))).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(open.finish({ signal: never() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('fails as a whole with the first item that fails: others end, new ones are refused', async () => {
    const fixture = transferFixture()
    const open = fixture.sink()
    let hanging: ReturnType<typeof hangingStream> | undefined
    const other = open.sink.stream({
      name: 'other',
      format: 'bytes',
      async open(options) {
        hanging = hangingStream(tar, options)
        return hanging
      },
    })
    const failure = expect(other).rejects.toMatchObject({ code: 'TRUNCATED' })
    await expect(open.sink.stream(tarItem('v.tar', tar.subarray(0, 512)))).rejects.toMatchObject({ code: 'TRUNCATED' })
    await failure
    expect(hanging?.seen).toEqual({ returned: true, disposed: true, aborted: true })
    await expect(open.sink.stream(bytesItem('late', tar))).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(open.finish({ signal: never() })).rejects.toMatchObject({ code: 'TRUNCATED' })
  })

  it('does not finish while a provider that forgot to await still puts', async () => {
    const open = transferFixture().sink()
    const forgotten = open.sink.stream({ name: 'a', format: 'bytes', open: async (options) => hangingStream(tar, options) })
    const ended = expect(forgotten).rejects.toMatchObject({ code: 'INTERNAL' })
    await new Promise((resolve) => setImmediate(resolve))
    await expect(open.finish({ signal: never() })).rejects.toMatchObject({ code: 'INTERNAL' })
    await ended
  })

  it('dispose ends what still runs and waits for it', async () => {
    const fixture = transferFixture()
    const open = fixture.sink()
    let stream: ReturnType<typeof hangingStream> | undefined
    const item = open.sink.stream({
      name: 'a',
      format: 'bytes',
      async open(options) {
        stream = hangingStream(tar, options)
        return stream
      },
    })
    const ended = expect(item).rejects.toMatchObject({ code: 'ABORTED' })
    await new Promise((resolve) => setImmediate(resolve))
    await open[Symbol.asyncDispose]()
    await open[Symbol.asyncDispose]()
    await ended
    expect(stream?.seen).toMatchObject({ returned: true, disposed: true })
    expect(fixture.clock.sleepers).toBe(0)
    expect(fixture.repository.snapshot().size).toBe(0)
  })

  it('counts what comes in and holds it to the rate, all items together', async () => {
    const fixture = transferFixture()
    const meter = createProgressMeter({ clock: fixture.clock })
    const open = fixture.sink({ bytesPerSecond: 100_000, meter })
    const bytes = random.bytes(250_000)
    await fixture.clock.runUntil(Promise.all(['a', 'b'].map((name) => open.sink.stream(bytesItem(name, bytes)))))
    expect(meter.snapshot()).toMatchObject({ bytes: 500_000, elapsedMs: 5000 })
    expect((await open.finish({ signal: never() })).bytes.transferred).toBe(500_000)
  })
})

describe('the repository', () => {
  it('that has the name already makes the item fail: nothing is put twice', async () => {
    const fixture = transferFixture()
    await fixture.repository.put('shop/p1/1/v.tar.zst', chunked(Buffer.from('of another attempt')), { signal: never() })
    await expect(fixture.sink().sink.stream(tarItem('v.tar', tar))).rejects.toMatchObject({ code: 'EXISTS' })
    expect(file(fixture, 'shop/p1/1/v.tar.zst').toString()).toBe('of another attempt')
  })

  it('that says stored without having read everything is not believed', async () => {
    for (const compression of ['zstd', 'none'] as const) {
      const fixture = transferFixture()
      const repository = {
        ...fixture.repository,
        put: async (_: string, bytes: ByteStream) => {
          for await (const chunk of bytes) return { size: chunk.length }
          return { size: 0 }
        },
      }
      await expect(fixture.sink({ repository, compression }).sink.stream(tarItem('v.tar', tar))).rejects.toMatchObject({ code: 'INTERNAL' })
    }
  })

  it('that fails is the failure, and the source is closed', async () => {
    const error = new HoldfastError('DISK_FULL', 'no space left')
    let closed = false
    const fixture = transferFixture()
    const repository = {
      ...fixture.repository,
      put: async (_: string, bytes: ByteStream) => {
        for await (const chunk of bytes) if (chunk.length > 0) throw error
        return { size: 0 }
      },
    }
    const endless = async function* () {
      try {
        for (;;) yield Buffer.alloc(65_536)
      } finally {
        closed = true
      }
    }
    await expect(fixture.sink({ repository }).sink.stream({ name: 'a', format: 'bytes', open: async () => endless() })).rejects.toBe(error)
    expect(closed).toBe(true)
  })
})
