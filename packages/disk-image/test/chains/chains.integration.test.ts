import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { clusterBytes } from '@holdfast/disk-image'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import type { Content } from './guest-writes.ts'
import { makeNoise, type NoiseFile, qemuAt } from './qemu.ts'
import type { Kind, PlannedLayer } from './random-chain.ts'
import { type Tried, tryChain } from './try-chain.ts'

const long = process.env.HOLDFAST_LONG === '1'
const count = long ? 500 : 6
const firstSeed = Number(process.env.HOLDFAST_SEED ?? 1)
const tebibyte = 2 ** 40

const plain: Kind = { by: 'us', writer: 'plain', byContent: false }
const byContent: Kind = { by: 'us', writer: 'plain', byContent: true }
const packed = (flags: string): Kind => ({ by: 'them', flags, form: 'compressed' })

// For each chain: what our view reads is what QEMU reads and what a raw file holds that qemu-io wrote; so do its merge, packed or not, its roll-up and its VMDK;
// qemu-img check finds no error in any file of ours, and all digests are the same.
describeWithPeer('qemu-img', 'a chain, its merge and its VMDK are to us and to QEMU what was written', ({ path }) => {
  const qemu = qemuAt(path)
  let folder = ''
  let noise: readonly NoiseFile[] = []
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'disk-image-chains-'))
    noise = await makeNoise(folder)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const expectRight = ({ summary, error }: Tried) => {
    if (error !== undefined) throw new Error(`${summary}; one-chain.ts --seed makes it again`, { cause: error })
    expect(summary).toContain('layers')
  }

  const matrix: readonly [size: number, content: Content, depth: number][] = [
    [0, 'random', 3],
    [512, 'text', 4],
    [1000, 'random', 5],
    [clusterBytes, 'zero', 6],
    [3 * clusterBytes + 777, 'mixed', 12],
    [2_000_001, 'text', 30],
    [2 * tebibyte + 4096, 'random', 4],
    [3 * tebibyte + 77, 'mixed', 8],
  ]
  it.each(matrix)('%i bytes, %s, %i layers', async (size, content, depth) => {
    expectRight(await tryChain({ seed: size % 1009, folder, qemu, noise, size, content, depth }))
  })

  const planned: readonly [name: string, plan: readonly PlannedLayer[]][] = [
    [
      'a disk that shrank and grew again',
      [{ size: 900_000, kind: plain }, { size: 200_001, kind: byContent }, { size: 1_500_000, kind: byContent }, { size: 1_600_000 }],
    ],
    [
      'a disk that shrank and grew again, the touched clusters alone',
      [
        { size: 900_000, kind: plain },
        { size: 200_001, kind: plain },
        { size: 1_500_000, kind: plain },
      ],
    ],
    ['a disk that grows with each layer', [700, 66_000, 900_000, 2_000_000, 30_000_000].map((size) => ({ size, kind: plain }))],
    ['a layer of QEMU packed with zlib in the middle', [{ kind: plain }, { kind: packed('') }, { kind: plain }]],
    ['a layer of QEMU packed with zstd in the middle', [{ kind: plain }, { kind: packed('compression_type=zstd') }, { kind: plain }]],
    [
      'zero writes and discards of QEMU over our full',
      [{ kind: plain }, { kind: { by: 'them', flags: '', form: 'plain' } }, { kind: byContent }],
    ],
    [
      'a VMDK of QEMU below our increments',
      [{ kind: { by: 'vmdk', form: 'of qemu' } }, { kind: plain }, { kind: { by: 'us', writer: 'zstd', byContent: true } }],
    ],
    [
      'our VMDK below an increment of QEMU',
      [{ kind: { by: 'vmdk', form: 'stored' } }, { kind: { by: 'them', flags: '', form: 'plain' } }, { kind: plain }],
    ],
  ]
  it.each(planned)('%s', async (name, plan) => {
    const content = name.startsWith('zero') ? 'zero' : 'mixed'
    expectRight(
      await tryChain({ seed: name.length, folder, qemu, noise, size: plan[0]?.size ?? 1_200_128, content, depth: plan.length, plan }),
    )
  })

  it(`${count} random chains of 1 to 30 layers, seeds ${firstSeed} to ${firstSeed + count - 1}`, { timeout: 14_400_000 }, async () => {
    let next = firstSeed
    const tried: Tried[] = []
    const work = async () => {
      while (next < firstSeed + count) {
        const seed = next
        next += 1
        tried.push(await tryChain({ seed, folder, qemu, noise }))
        await rm(join(folder, `chain-${seed}`), { recursive: true, force: true })
      }
    }
    await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work))
    const wrong = tried.filter(({ error }) => error !== undefined)
    for (const { summary, error } of wrong) console.error(summary, error)
    expect(wrong.map(({ summary }) => summary)).toEqual([])
    expect(tried).toHaveLength(count)
    expect(new Set(tried.flatMap(({ kinds }) => kinds)).size).toBeGreaterThan(long ? 15 : 3)
  })
})
