import { promisify } from 'node:util'
import { deflate, inflate } from 'node:zlib'
import { expect, it } from 'vitest'
import { giveBack } from './give-back.ts'

it('frees what a codec has made', async () => {
  const packed = await promisify(deflate)(Buffer.alloc(65_536, 1))
  const plain = await promisify(inflate)(packed, { chunkSize: 66_560 })
  expect(plain.length).toBe(65_536)
  giveBack(plain)
  expect([plain.length, plain.buffer.byteLength]).toEqual([0, 0])
})

it('leaves memory alone that others may have a part of', () => {
  const pooled = Buffer.from('small')
  const part = new Uint8Array(1_000_000).subarray(10)
  for (const bytes of [pooled, part]) giveBack(bytes)
  expect([pooled.toString(), part.length]).toEqual(['small', 999_990])
})
