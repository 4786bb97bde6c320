import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { directWriter } from './direct-writer.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Memory of a page-aligned address, which direct writes need. The types of Node do not know WebAssembly. */
function aligned(bytes: Buffer): Uint8Array {
  const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (size: { initial: number }) => { buffer: ArrayBuffer } } })
    .WebAssembly
  const view = new Uint8Array(new Memory({ initial: Math.ceil(bytes.length / 65_536) }).buffer, 0, bytes.length)
  view.set(bytes)
  return view
}

for (const parent of [tmpdir(), '/dev/shm']) {
  test(`aligned, unaligned, large and small chunks land in order below ${parent}`, async () => {
    const folder = await mkdtemp(join(parent, 'direct-writer-'))
    folders.push(folder)
    const path = join(folder, 'file')
    const handle = await open(path, 'wx')
    const writer = directWriter(handle, path)
    const sizes = [1 << 20, 1 << 20, 4096, 1 << 20, 100, 1 << 20, 3996, 1 << 20, 77]
    const expected: Buffer[] = []
    for (const [index, size] of sizes.entries()) {
      const bytes = randomBytes(size)
      expected.push(bytes)
      const chunk = index % 3 === 2 ? bytes : aligned(bytes)
      for (let done = 0; done < chunk.length; ) done += await writer.write(chunk.subarray(done))
    }
    await handle.sync()
    await writer.close()
    await handle.close()
    const found = await readFile(path)
    expect(found.length).toBe(sizes.reduce((sum, size) => sum + size, 0))
    expect(sha256(found)).toBe(sha256(Buffer.concat(expected)))
  })
}
