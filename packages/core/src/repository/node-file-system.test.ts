import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { nodeFileSystem } from './node-file-system.ts'

const page = 65536

/** Memory that begins on a page, as a disk's image comes in: WebAssembly's is the only one JavaScript has. */
function aligned(bytes: number): Buffer {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } } })
    .WebAssembly
  return Buffer.from(new Memory({ initial: Math.ceil(bytes / page) }).buffer, 0, bytes)
}

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'file-system-'))
})
afterEach(() => rm(folder, { recursive: true }))

it.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'writes chunks of every size, aligned in memory or not, one after the other into a new file, seed %i',
  async (seed) => {
    const random = seededRandom(seed)
    const path = join(folder, 'file')
    const file = await nodeFileSystem().open(path, 'create')
    const hash = createHash('sha256')
    let size = 0
    for (let count = 0; count < 20; count++) {
      const length = random.pick([1, 4095, 4096, page, 4 * page, 4 * page + 4096, 16 * page, 16 * page - 512, 16 * page + 1])
      const chunk = random.chance(0.5) ? aligned(length) : Buffer.alloc(length + 1).subarray(1)
      chunk.fill(1 + random.below(255))
      for (let done = 0; done < length; ) done += await file.write(chunk.subarray(done))
      hash.update(chunk)
      size += length
      expect((await file.stat()).size).toBe(size)
      // It is the writer's again.
      chunk.fill(0)
    }
    await file.sync()
    await file.close()
    const found = await readFile(path)
    expect(found.length).toBe(size)
    expect(createHash('sha256').update(found).digest('hex')).toBe(hash.digest('hex'))
  },
)
