import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alive, text, withThreads } from '../../../test/pack-support.ts'
import { failure, noise, randomFrom } from '../../../test/support.ts'
import { sumOf } from '../../cluster-sums.ts'
import { clusterBytes } from '../../clusters.ts'
import { decompressCluster } from '../decompress.ts'
import { createSharedSlots, slotsOf } from './shared-slots.ts'
import { startWorkerPool } from './worker-pool.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-image-pool-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const script = async (name: string, source: string) => {
  const path = join(folder, `${name}.mjs`)
  await writeFile(path, source)
  return pathToFileURL(path)
}
const setup = (slots = 2) => ({ shared: createSharedSlots(slots), codec: 'deflate', withSums: true }) as const

describe('a pool of workers', () => {
  it('packs a slot in place: plain clusters first, then packed ones, zeros left out, with sums', async () => {
    const given = setup()
    const slot = slotsOf(given.shared)[1]
    if (slot === undefined) throw new Error('there is no second slot')
    const clusters = [
      text(clusterBytes, randomFrom(1)),
      noise(clusterBytes, randomFrom(2)),
      Buffer.alloc(clusterBytes),
      text(clusterBytes, randomFrom(3)),
      noise(clusterBytes, randomFrom(4)),
    ] as const
    slot.bytes.set(Buffer.concat(clusters))
    const pool = startWorkerPool(1, given)
    await pool.run({ slot: 1, clusters: 5 })
    await pool[Symbol.asyncDispose]()
    const [first = 0, , , fourth = 0] = slot.lengths
    expect([...slot.lengths.subarray(0, 5)]).toEqual([first, clusterBytes, 0, fourth, clusterBytes])
    expect(slot.bytes.subarray(0, 2 * clusterBytes).equals(Buffer.concat([clusters[1], clusters[4]]))).toBe(true)
    const packed = slot.bytes.subarray(2 * clusterBytes, 2 * clusterBytes + first + fourth)
    expect((await decompressCluster('deflate', packed.subarray(0, first), 0)).equals(clusters[0])).toBe(true)
    expect((await decompressCluster('deflate', packed.subarray(first), 0)).equals(clusters[3])).toBe(true)
    for (const position of [0, 1, 3, 4] as const)
      expect(slot.sums.subarray(position * 16, position * 16 + 16).equals(sumOf(clusters[position]))).toBe(true)
  })

  it.each([
    ['cannot be found', undefined],
    ['fails when it starts', 'throw new Error("broken")'],
    ['ends', 'process.exit(0)'],
    ['fails at work', 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { throw new Error("broken") })'],
    ['ends at work', 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => process.exit(7))'],
  ])('says so when a worker %s, at once and ever after', async (name, source) => {
    const url = source === undefined ? pathToFileURL(join(folder, 'nowhere.mjs')) : await script(name.replaceAll(' ', '-'), source)
    await withThreads(async (threads) => {
      const pool = startWorkerPool(2, setup(4), url)
      const runs = [0, 1, 2, 3].map((slot) => failure(() => pool.run({ slot, clusters: 1 })))
      for (const error of await Promise.all(runs)) expect(error).toMatchObject({ code: 'INTERNAL', retryable: false })
      expect(await failure(() => pool.run({ slot: 0, clusters: 1 }))).toMatchObject({ code: 'INTERNAL' })
      await pool[Symbol.asyncDispose]()
      expect(threads.length).toBe(2)
      expect(alive(threads)).toBe(0)
    })
  })

  it('ends workers that are at work, and tells whoever waits', async () => {
    const url = await script('busy', 'import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { for (;;); })')
    await withThreads(async (threads) => {
      const pool = startWorkerPool(2, setup(4), url)
      const running = [0, 1, 2].map((slot) => failure(() => pool.run({ slot, clusters: 1 })))
      await pool[Symbol.asyncDispose]()
      for (const error of await Promise.all(running)) expect(error).toMatchObject({ code: 'INTERNAL' })
      expect(alive(threads)).toBe(0)
    })
  })
})
