import { expect, test } from 'vitest'
import { collectBytes } from './bytes.ts'

test('chunks that are lent are copied, also when they are Buffers, whose slice is a view', async () => {
  async function* lending() {
    const lent = Buffer.alloc(4)
    for (const letter of 'ab') {
      lent.fill(letter)
      yield lent
    }
  }
  expect(Buffer.from(await collectBytes(lending(), 100)).toString()).toBe('aaaabbbb')
})
