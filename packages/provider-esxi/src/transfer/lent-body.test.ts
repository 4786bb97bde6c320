import { fakeClock } from '@holdfast/testkit'
import { expect, it } from 'vitest'
import { createLentBody } from './lent-body.ts'

const kib = 1024

it('gives all bytes in order, in a few buffers that are used again, and holds the sender back', async () => {
  let room = true
  const buffers = new Set<ArrayBufferLike>()
  const body = createLentBody(fakeClock(), {
    onRoom() {
      room = true
    },
  })
  const source = Buffer.from(Uint8Array.from({ length: 5000 * kib }, (_, at) => (at * 31) % 251))
  let at = 0
  const send = () => {
    for (; room && at < source.length; at += 60 * kib) room = body.push(source.subarray(at, at + 60 * kib))
    if (at >= source.length) body.end()
  }
  send()
  const got: Buffer[] = []
  for await (const chunk of body.chunks()) {
    buffers.add(chunk.buffer)
    got.push(Buffer.from(chunk))
    send()
  }
  expect(Buffer.compare(Buffer.concat(got), source)).toBe(0)
  expect(buffers.size).toBeLessThanOrEqual(6)
})

it('tells an error after what came before it, and only the first one', async () => {
  const body = createLentBody(fakeClock(), { onRoom: () => {} })
  body.push(Buffer.from('abc'))
  body.end({ error: new Error('broken') })
  body.end()
  const got: string[] = []
  const reading = (async () => {
    for await (const chunk of body.chunks()) got.push(Buffer.from(chunk).toString())
  })()
  await expect(reading).rejects.toThrow('broken')
  expect(got).toEqual(['abc'])
})

it('knows since when its reader waits, and that it does not while it works', async () => {
  const clock = fakeClock()
  const body = createLentBody(clock, { onRoom: () => {} })
  expect(body.waitingSince()).toBeUndefined()
  const chunks = body.chunks()
  await clock.advance(5)
  const first = chunks.next()
  await clock.advance(5)
  expect(body.waitingSince()).toBe(5)
  body.push(Buffer.from('abc'))
  await first
  expect(body.waitingSince()).toBeUndefined()
})
