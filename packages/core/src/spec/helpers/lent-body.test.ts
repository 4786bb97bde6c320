import { createHash } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createLentBody } from './lent-body.ts'

describe('a lent body', () => {
  it.each([1, 2, 3, 4])('gives every byte once, with a sender that stops when told and overwrites what it sent, seed %i', async (seed) => {
    const random = seededRandom(seed)
    let room = () => {}
    const body = createLentBody({ onRoom: () => room() })
    const sent = createHash('sha256')
    const send = async () => {
      const buffer = Buffer.alloc(65536)
      for (let count = 0; count < 200; count++) {
        const bytes = buffer.subarray(0, 1 + random.below(65536))
        bytes.set(random.bytes(Math.min(64, bytes.length)))
        sent.update(bytes)
        const waiting = new Promise<void>((resolve) => {
          room = resolve
        })
        if (!body.push(bytes)) await waiting
        if (random.chance(0.2)) await turn()
      }
      body.end()
    }
    const received = createHash('sha256')
    const sending = send()
    for await (const chunk of body.chunks()) {
      // Lent: it must not change while the reader is at it.
      for (let count = random.below(4); count > 0; count--) await turn()
      received.update(chunk)
    }
    await sending
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  })
  it('gives what comes in many pieces at once as one chunk', async () => {
    const body = createLentBody({ onRoom() {} })
    const chunks = body.chunks()
    const first = chunks.next()
    for (let count = 0; count < 3; count++) body.push(Buffer.alloc(16_384, count))
    await Promise.resolve()
    body.push(Buffer.alloc(16_384, 3))
    expect((await first).value).toHaveLength(65_536)
    const second = chunks.next()
    for (let count = 0; count < 20; count++) body.push(Buffer.alloc(16_384, count))
    expect((await second).value).toHaveLength(262_144)
    body.end()
    expect((await chunks.next()).value).toHaveLength(65_536)
    expect((await chunks.next()).done).toBe(true)
  })

  it('does not wait for a buffer to fill when a little more comes in each turn', async () => {
    const body = createLentBody({ onRoom() {} })
    const chunks = body.chunks()
    const first = chunks.next()
    let came = false
    first.then(() => {
      came = true
    })
    let turns = 0
    for (; !came && turns < 100; turns++) {
      body.push(Buffer.alloc(512))
      await turn()
    }
    expect(turns).toBeLessThan(20)
    expect((await first).value?.length).toBeGreaterThanOrEqual(512)
  })

  it('tells an error after what came before it', async () => {
    const body = createLentBody({ onRoom() {} })
    body.push(Buffer.from('before'))
    body.end({ error: new Error('cut') })
    body.end()
    const found: string[] = []
    const reading = async () => {
      for await (const chunk of body.chunks()) found.push(Buffer.from(chunk).toString())
    }
    await expect(reading()).rejects.toThrow('cut')
    expect(found).toEqual(['before'])
  })

  it('tells when its reader waits, and that it does not while it works', async () => {
    const waits: boolean[] = []
    const body = createLentBody({ onRoom() {}, onWait: (isWaiting) => waits.push(isWaiting) })
    const chunks = body.chunks()
    expect(waits).toEqual([])
    const first = chunks.next()
    await turn()
    expect(waits).toEqual([true])
    body.push(Buffer.from('abc'))
    await first
    expect(waits).toEqual([true, false])
  })

  it('takes few buffers, which are used again', async () => {
    const buffers = new Set<ArrayBufferLike>()
    let room = true
    const body = createLentBody({
      onRoom() {
        room = true
      },
    })
    let left = 100
    const send = () => {
      for (; room && left > 0; left--) room = body.push(Buffer.alloc(60_000))
      if (left === 0) body.end()
    }
    send()
    for await (const { buffer } of body.chunks()) {
      buffers.add(buffer)
      send()
    }
    expect(buffers.size).toBeLessThanOrEqual(6)
  })
})
