import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { BlockSource } from './blocks.ts'
import { createPackedReader, type PackedPiece } from './packed-reads.ts'

const never = { signal: new AbortController().signal }
const unit = 64 * 1024

/** Each piece is a read of its own: they lie far apart. */
const pieces = (count: number): readonly PackedPiece[] =>
  Array.from({ length: count }, (_, index) => ({
    guestOffset: index * unit,
    offset: index * 4 * 2 ** 20,
    stored: 1000,
    inside: 0,
    target: new Uint8Array(unit),
  }))

describe('reads of packed units', () => {
  it('30: use the buffers of their ranges again, however many are under way at once', async () => {
    const buffers = new Set<ArrayBufferLike>()
    const source: BlockSource = {
      size: 2 ** 40,
      async readInto(target) {
        buffers.add(target.buffer)
        await setImmediate()
      },
      async [Symbol.asyncDispose]() {},
    }
    const read = createPackedReader(source, async ({ guestOffset }) => {
      // The first of each few takes longest: ranges are then given back late, and out of their order.
      for (let turns = 1 + ((guestOffset / unit) % 4) * 3; turns > 0; turns -= 1) await setImmediate()
      return new Uint8Array(unit)
    })
    const callers = 3
    for (let round = 0; round < 20; round += 1) await Promise.all(Array.from({ length: callers }, () => read(pieces(10), never)))
    // Of each caller: what is unpacked, and what is read meanwhile. Rounds make no more of them.
    expect(buffers.size).toBeLessThanOrEqual(callers * 6)
  })
})
