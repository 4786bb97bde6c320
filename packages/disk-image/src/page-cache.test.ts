import { expect, it } from 'vitest'
import type { BlockSource, CallOptions } from './blocks.ts'
import { createPageCache } from './page-cache.ts'

const pageBytes = 4096
const never = { signal: new AbortController().signal }

/** Page n is full of n. Reads wait until they are let go, in the order they began. */
function slowFile() {
  const waiting: { readonly offset: number; readonly finish: (error?: Error) => void }[] = []
  const memory = new Set<ArrayBufferLike>()
  let reads = 0
  const source: BlockSource = {
    size: 1000 * pageBytes,
    async readInto(target, offset, { signal }: CallOptions) {
      reads++
      memory.add(target.buffer)
      await new Promise<void>((resolve, reject) => {
        waiting.push({ offset, finish: (error) => (error === undefined ? resolve() : reject(error)) })
        signal.addEventListener('abort', () => reject(signal.reason))
      })
      target.fill((offset / pageBytes) % 251)
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  const release = async (error?: Error) => {
    for (const one of waiting.splice(0)) one.finish(error)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    source,
    release,
    memory,
    get reads() {
      return reads
    },
  }
}

const firstByte = (page: Buffer) => {
  expect(new Set(page).size).toBe(1)
  return page[0]
}

it('reads a page once for all who want it, also at the same time, and again when it was pushed out', async () => {
  const file = slowFile()
  const pageAt = createPageCache(file.source, pageBytes, 2)
  const ask = (number: number) => pageAt(number * pageBytes, never, firstByte)
  const both = Promise.all([ask(1), ask(1)])
  await file.release()
  expect(await both).toEqual([1, 1])
  expect(await ask(1)).toBe(1)
  expect(file.reads).toBe(1)
  for (const number of [2, 3, 1]) {
    const asked = ask(number)
    await file.release()
    expect(await asked).toBe(number)
  }
  expect(file.reads).toBe(4)
})

it('uses its memory again, however many pages are read', async () => {
  const file = slowFile()
  const pageAt = createPageCache(file.source, pageBytes, 4)
  for (let number = 0; number < 200; number++) {
    const asked = pageAt(number * pageBytes, never, firstByte)
    await file.release()
    expect(await asked).toBe(number)
  }
  expect(file.memory.size).toBe(4)
})

it('never gives the memory of a page that somebody waits for to another one', async () => {
  const file = slowFile()
  const pageAt = createPageCache(file.source, pageBytes, 2)
  const asked = Array.from({ length: 20 }, (_, number) => pageAt(number * pageBytes, never, firstByte))
  await file.release()
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 20 }, (_, number) => number))
})

it('tells a failed read to whoever began it; others read for themselves, and later calls too', async () => {
  const file = slowFile()
  const pageAt = createPageCache(file.source, pageBytes)
  const controller = new AbortController()
  const began = pageAt(0, { signal: controller.signal }, firstByte)
  const shares = pageAt(0, never, firstByte)
  controller.abort(new Error('given up'))
  await expect(began).rejects.toThrow('given up')
  await file.release()
  expect(await shares).toBe(0)
  const fails = expect(pageAt(7 * pageBytes, never, firstByte)).rejects.toThrow('the disk is gone')
  await file.release(new Error('the disk is gone'))
  await fails
  const again = pageAt(7 * pageBytes, never, firstByte)
  await file.release()
  expect(await again).toBe(7)
})

it('passes on what the look at a page throws', async () => {
  const file = slowFile()
  const pageAt = createPageCache(file.source, pageBytes)
  const look = () => {
    throw new Error('damaged')
  }
  const asked = expect(pageAt(0, never, look)).rejects.toThrow('damaged')
  await file.release()
  await asked
})
