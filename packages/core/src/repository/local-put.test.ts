import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Random, seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Repository } from '../spec/index.ts'
import { localRepository } from './local-repository.ts'

const { signal } = new AbortController()
let folder: string
let repository: Repository

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-put-'))
  repository = localRepository({ folder })
})
afterEach(() => rm(folder, { recursive: true, force: true }))

describe('local repository: large files', () => {
  const chunkSizes = [1, 4096, 65_536, 300_000, 1 << 20, (1 << 20) + 1, 3 << 20]
  const bytesFor = (seed: number, length: number): Uint8Array => seededRandom(seed).bytes(length)

  /** One lent chunk after the other, each in the memory of the one before. */
  async function* lent(content: Uint8Array, random: Random): AsyncGenerator<Uint8Array, void, undefined> {
    const memory = Buffer.alloc(3 << 20)
    for (let at = 0; at < content.length; ) {
      const part = content.subarray(at, at + random.pick(chunkSizes))
      memory.set(part)
      yield memory.subarray(0, part.length)
      memory.fill(0xee)
      at += part.length
    }
  }

  it.each([
    ['auto', 1],
    ['auto', 2],
    ['never', 3],
  ] as const)('hold what was put, several at once, with directIo %s, seed %i', async (directIo, seed) => {
    repository = localRepository({ folder, directIo })
    const random = seededRandom(seed)
    const contents = new Map([1, 2, 3].map((number) => [`a/${number}`, bytesFor(seed + number, random.below(12 << 20))] as const))
    await Promise.all(
      [...contents].map(async ([path, content]) => {
        const { size } = await repository.put(path, lent(content, random), { signal, size: content.length, ifAbsent: true })
        expect(size).toBe(content.length)
      }),
    )
    for (const [path, content] of contents) expect((await readFile(join(folder, path))).equals(content), path).toBe(true)
    expect((await readdir(join(folder, 'a'))).toSorted()).toEqual(['1', '2', '3'])
  })

  it('leave nothing behind when the stream gives up, is aborted, or gives more or less than was announced, with writes under way', async () => {
    const content = bytesFor(4, 7 << 20)
    const controller = new AbortController()
    async function* broken(end: () => void): AsyncGenerator<Uint8Array, void, undefined> {
      yield* lent(content, seededRandom(5))
      end()
      yield content.subarray(0, 9)
    }
    const fails = () => {
      throw new Error('the source is gone')
    }
    const options = { signal, ifAbsent: true }
    await expect(repository.put('a/x', broken(fails), options)).rejects.toThrow('the source is gone')
    await expect(
      repository.put(
        'a/x',
        broken(() => controller.abort()),
        { ...options, signal: controller.signal },
      ),
    ).rejects.toMatchObject({
      code: 'ABORTED',
    })
    for (const size of [content.length - 1, content.length, content.length + 10])
      await expect(
        repository.put(
          'a/x',
          broken(() => undefined),
          { ...options, size },
        ),
      ).rejects.toMatchObject({ code: 'TRUNCATED' })
    expect(await readdir(join(folder, 'a'))).toEqual([])
  })
})
