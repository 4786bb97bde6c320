import { memoryBlocks, seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { chunked, findingsOf, transferFixture } from '../../test/transfer-fixture.ts'
import type { DiskItem, Manifest } from '../model/manifest.ts'
import type { BaseDisk } from './index.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261124)
const random = seededRandom(seed)
const cluster = 65_536

/** Four states of two disks; what each layer must hold is found by comparing them, cluster by cluster. */
const sizes = { sda: 12 * cluster + 1000, sdb: 7 * cluster } as const
type Key = keyof typeof sizes
const keys = Object.keys(sizes) as readonly Key[]
const states = statesOf(4)

function statesOf(count: number): readonly { readonly [key in Key]: Buffer }[] {
  const made = [{ sda: random.bytes(sizes.sda), sdb: random.bytes(sizes.sdb) }] as { [key in Key]: Buffer }[]
  made[0]?.sda.fill(0, 3 * cluster, 5 * cluster)
  for (let layer = 1; layer < count; layer++) {
    const next = { sda: Buffer.from(made[layer - 1]?.sda ?? ''), sdb: Buffer.from(made[layer - 1]?.sdb ?? '') }
    for (const key of keys) {
      for (const at of [layer, layer + 1, layer + 3]) next[key].set(random.bytes(100), at * cluster + 500)
      next[key].fill(0, (layer + 2) * cluster, (layer + 3) * cluster)
    }
    made.push(next)
  }
  return made
}

const piece = (bytes: Buffer | undefined, index: number) => bytes?.subarray(index * cluster, (index + 1) * cluster) ?? Buffer.alloc(0)
const isZero = (bytes: Buffer) => bytes.every((byte) => byte === 0)

/** Indexes of the clusters that the layer holds, and of those that it holds as data. */
function heldBy(layer: number, key: Key) {
  const now = states[layer]?.[key]
  const before = states[layer - 1]?.[key]
  const all = Array.from({ length: Math.ceil(sizes[key] / cluster) }, (_, index) => index)
  const records = all.filter((index) =>
    before === undefined ? !isZero(piece(now, index)) : !piece(now, index).equals(piece(before, index)),
  )
  return { records, data: records.filter((index) => !isZero(piece(now, index))) }
}

async function chainOfFour() {
  const fixture = transferFixture()
  const manifests: Manifest[] = []
  for (const [layer, state] of states.entries()) {
    const base = layer === 0 ? undefined : keys.map((key, disk): BaseDisk => baseOf(layer - 1, key, disk))
    const items = keys.map((key) => ({
      disk: { key, name: key, size: sizes[key] },
      covers: 'unmapped' as const,
      open: async () => memoryBlocks(state[key]),
    }))
    manifests.push(
      await fixture.backup(
        `p${layer}`,
        async ({ sink }) => {
          for (const item of items) await sink.blocks(item)
        },
        base ? { base } : {},
      ),
    )
  }
  return { fixture, manifests }
}

const pathOf = (layer: number, disk: number, end: 'qcow2' | 'sums') => `shop/p${layer}/1/disk-${disk}.${end}`

function baseOf(layer: number, key: Key, disk: number): BaseDisk {
  const sums = Array.from({ length: layer + 1 }, (_, below) => pathOf(layer - below, disk, 'sums'))
  return { key, size: sizes[key], point: `p${layer}`, file: pathOf(layer, disk, 'qcow2'), sums }
}

type Chain = Awaited<ReturnType<typeof chainOfFour>>

/** Verifies every point of the repository with other bytes at some places of some files. */
async function verifyAll({ fixture, manifests }: Chain, flips: readonly { readonly path: string; readonly bit: number }[]) {
  const changed = new Map<string, Buffer>()
  for (const { path, bit } of flips) {
    const bytes = changed.get(path) ?? Buffer.from(fixture.repository.snapshot().get(path) ?? '')
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
    changed.set(path, bytes)
  }
  const open: typeof fixture.repository.open = async (path, options) => {
    const bytes = changed.get(path)
    if (bytes === undefined) return fixture.repository.open(path, options)
    return { ...memoryBlocks(bytes), stream: ({ start, end }) => chunked(bytes.subarray(start, end)) }
  }
  const repository = { ...fixture.repository, open }
  const found = []
  for (const manifest of manifests) found.push(...(await findingsOf(manifest, { ...fixture, repository, ancestors: manifests })))
  return found
}

const diskItem = (chain: Chain, layer: number, disk: number) => chain.manifests[layer]?.items[disk] as DiskItem

/** As a finding says it. */
function rangeOf(key: Key, first: number, count = 1) {
  const offset = first * cluster
  return { cluster: first, offset, length: Math.min(count * cluster, sizes[key] - offset) }
}

describe(`one flipped bit in a chain of four points with two disks (seed ${seed})`, () => {
  it('of data is found with its guest offset, in each cluster of each layer', async () => {
    const chain = await chainOfFour()
    let flips = 0
    for (const [layer] of states.entries()) {
      for (const [disk, key] of keys.entries()) {
        for (const [position, index] of heldBy(layer, key).data.entries()) {
          const start = diskItem(chain, layer, disk).metadata.size + position * cluster
          const path = pathOf(layer, disk, 'qcow2')
          const found = await verifyAll(chain, [{ path, bit: start * 8 + random.below(cluster * 8) }])
          const message = `${path}: the cluster at guest offset ${index * cluster} differs from its sum`
          expect(found).toEqual([{ point: `p${layer}`, file: path, message, disk: { key, clusters: 1, ranges: [rangeOf(key, index)] } }])
          flips++
        }
      }
    }
    expect(flips).toBeGreaterThan(30)
  })

  it('of a sum is found with the guest offset that it is for, in each record of each layer', async () => {
    const chain = await chainOfFour()
    for (const [layer] of states.entries()) {
      for (const [disk, key] of keys.entries()) {
        for (const [position, index] of heldBy(layer, key).records.entries()) {
          const path = pathOf(layer, disk, 'sums')
          const found = await verifyAll(chain, [{ path, bit: (32 + 24 * position) * 8 + random.below(24 * 8) }])
          const own = found.filter(({ point, disk }) => point === `p${layer}` && disk?.clusters !== 0)
          expect(own).toMatchObject([{ file: path, disk: { key, clusters: 1, ranges: [rangeOf(key, index)] } }])
          // Points above cannot be proven without it, and say so of the same file.
          expect(found.every(({ file, point }) => file === path && point === `p${layer}`)).toBe(true)
        }
      }
    }
  })

  it('of the tables is found with the guest offset that it is for, in the header with none', async () => {
    const chain = await chainOfFour()
    for (const [layer] of states.entries()) {
      for (const [disk, key] of keys.entries()) {
        const path = pathOf(layer, disk, 'qcow2')
        const { metadata } = diskItem(chain, layer, disk)
        const clusters = Math.ceil(sizes[key] / cluster)
        const flip = async (byte: number, bits: number) => await verifyAll(chain, [{ path, bit: byte * 8 + random.below(bits) }])
        for (let index = 0; index < clusters; index++) {
          const found = await flip(metadata.size - cluster + index * 8, 64)
          expect(found, `${path} cluster ${index}`).toMatchObject([
            { point: `p${layer}`, file: path, disk: { key, clusters: 1, ranges: [rangeOf(key, index)] } },
          ])
        }
        expect(await flip(cluster, 64)).toMatchObject([{ file: path, disk: { key, clusters, ranges: [rangeOf(key, 0, clusters)] } }])
        expect(await flip(0, 100 * 8)).toMatchObject([{ file: path, disk: { key, clusters: 0, ranges: [] } }])
      }
    }
  })
})

describe('several damages', () => {
  it('in one disk are all told, those of neighbours as one range', async () => {
    const chain = await chainOfFour()
    const path = pathOf(0, 0, 'qcow2')
    const { data } = heldBy(0, 'sda')
    const start = diskItem(chain, 0, 0).metadata.size
    const bitsOf = (...indexes: readonly number[]) =>
      indexes.map((index) => ({ path, bit: (start + data.indexOf(index) * cluster) * 8 + random.below(cluster * 8) }))
    const two = await verifyAll(chain, bitsOf(1, 9))
    expect(two).toMatchObject([
      {
        message: `${path}: 2 clusters differ from their sums, the first at guest offset ${cluster}`,
        disk: { key: 'sda', clusters: 2, ranges: [rangeOf('sda', 1), rangeOf('sda', 9)] },
      },
    ])
    // Clusters 3 and 4 are not in the file: 2 and 5 follow each other there, but not on the disk.
    const many = await verifyAll(chain, bitsOf(1, 2, 5, 6, 7, 12))
    expect(many).toMatchObject([{ disk: { clusters: 6, ranges: [rangeOf('sda', 1, 2), rangeOf('sda', 5, 3), rangeOf('sda', 12)] } }])
    const table = { path, bit: (start - cluster + 2 * 8) * 8 + 5 }
    const both = await verifyAll(chain, [table, ...bitsOf(9)])
    expect(both).toMatchObject([
      { file: path, disk: { clusters: 1, ranges: [rangeOf('sda', 2)] } },
      { file: path, disk: { clusters: 1, ranges: [rangeOf('sda', 9)] } },
    ])
  })

  it('in both disks and several layers are all told', async () => {
    const chain = await chainOfFour()
    const flips = [0, 1, 2, 3].flatMap((layer) =>
      keys.map((key, disk) => {
        const start = diskItem(chain, layer, disk).metadata.size
        return { path: pathOf(layer, disk, 'qcow2'), bit: start * 8 + 77, wanted: rangeOf(key, heldBy(layer, key).data[0] as number) }
      }),
    )
    const found = await verifyAll(chain, flips)
    expect(found.map(({ file, disk }) => ({ file, ranges: disk?.ranges }))).toEqual(
      flips.map(({ path, wanted }) => ({ file: path, ranges: [wanted] })),
    )
  })

  it('are told to the hundredth range, and after that counted', async () => {
    const fixture = transferFixture()
    const bytes = random.bytes(240 * cluster)
    const disk = { key: 'sda', name: 'sda', size: bytes.length }
    const point = await fixture.backup('big', ({ sink }) =>
      sink.blocks({ disk, covers: 'unmapped', open: async () => memoryBlocks(bytes) }),
    )
    const item = point.items[0] as DiskItem
    const path = `shop/big/${item.file.path}`
    const flips = Array.from({ length: 120 }, (_, each) => ({ path, bit: (item.metadata.size + each * 2 * cluster) * 8 }))
    const [finding, ...others] = await verifyAll({ fixture, manifests: [point] }, flips)
    expect(others).toEqual([])
    expect(finding?.disk).toMatchObject({ clusters: 120 })
    expect(finding?.disk?.ranges).toEqual(
      Array.from({ length: 100 }, (_, each) => ({ cluster: each * 2, offset: each * 2 * cluster, length: cluster })),
    )
  })
})
