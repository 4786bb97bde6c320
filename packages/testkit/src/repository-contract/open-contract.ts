import assert from 'node:assert/strict'
import { assertBytes, assertRejects, type ContractTests, collect, lent, pattern, putText } from './contract-fixture.ts'

const size = 2 * (1 << 20) + 12_345
const bytes = pattern(size, 5)
/** Edges of buffers and of the file, and some in between. */
const ranges = [0, 1, 511, 65_535, 65_536, 1 << 20, (1 << 20) + 1, 1_700_000, size - 1, size].flatMap((start, index, all) =>
  all.slice(index).map((end) => ({ start, end })),
)

export const openContract: ContractTests = {
  'proves absence with NOT_FOUND': async (fixture) => {
    const { repository, signal } = fixture
    await putText(fixture, 'a/b', 'x')
    for (const path of ['nothing', 'no/such/folder', 'a/c', 'a', 'a/b/c'])
      await assertRejects(repository.open(path, { signal }), 'NOT_FOUND')
  },
  'knows the size': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes), { signal })
    const file = await repository.open('file', { signal })
    assert.equal(file.size, size)
    await file[Symbol.asyncDispose]()
  },
  'reads any range by position, several at once': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes), { signal })
    const file = await repository.open('file', { signal })
    const queue = [...ranges].reverse()
    async function reader(): Promise<void> {
      for (let range = queue.pop(); range; range = queue.pop()) {
        const target = new Uint8Array(range.end - range.start)
        await file.readInto(target, range.start, { signal })
        assertBytes(target, bytes.subarray(range.start, range.end), `bytes ${range.start} to ${range.end}`)
      }
    }
    await Promise.all(Array.from({ length: file.readers ?? 1 }, reader))
    await file[Symbol.asyncDispose]()
  },
  'writes only into the buffer it was given': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes), { signal })
    const file = await repository.open('file', { signal })
    const around = new Uint8Array(300).fill(7)
    await file.readInto(around.subarray(100, 200), 5, { signal })
    assertBytes(around.subarray(0, 100), new Uint8Array(100).fill(7), 'before the buffer')
    assertBytes(around.subarray(100, 200), bytes.subarray(5, 105), 'the buffer')
    assertBytes(around.subarray(200), new Uint8Array(100).fill(7), 'after the buffer')
    await file[Symbol.asyncDispose]()
  },
  'streams from start up to, not including, end': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes), { signal })
    const file = await repository.open('file', { signal })
    for (const { start, end } of ranges) {
      const received = await collect(file.stream({ start, end }, { signal }))
      assertBytes(received, bytes.subarray(start, end), `stream ${start} to ${end}`)
    }
    await file[Symbol.asyncDispose]()
  },
  'gives several streams at once, and takes one that is left early': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes), { signal })
    const file = await repository.open('file', { signal })
    for await (const chunk of file.stream({ start: 0, end: size }, { signal })) {
      assert.ok(chunk.length > 0)
      break
    }
    const both = await Promise.all([0, 99].map((start) => collect(file.stream({ start, end: size }, { signal }))))
    assertBytes(both[0] as Uint8Array, bytes, 'the first stream')
    assertBytes(both[1] as Uint8Array, bytes.subarray(99), 'the second stream')
    await file[Symbol.asyncDispose]()
  },
  'refuses to read beyond the end instead of giving fewer bytes': async ({ repository, signal }) => {
    await repository.put('file', lent(bytes.subarray(0, 1000)), { signal })
    const file = await repository.open('file', { signal })
    await assertRejects(file.readInto(new Uint8Array(10), 991, { signal }), 'TRUNCATED')
    const beyond = async (): Promise<Uint8Array> => collect(file.stream({ start: 0, end: 1001 }, { signal }))
    await assertRejects(beyond(), 'TRUNCATED')
    await file[Symbol.asyncDispose]()
  },
}
