import { describe, expect, it } from 'vitest'
import { type Accepted, describeMutants, goodImage, type Refused, u64 } from '../../test/hostile-images.ts'
import { openImage } from '../../test/support.ts'
import { clusterBytes } from '../clusters.ts'

const bitmapsExtension = 0x23852875

const snapshots: readonly Refused[] = [
  ['nb_snapshots 1', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(1, 60)],
  ['nb_snapshots > 65536', 'UNSUPPORTED_FORMAT', (file) => file.writeUInt32BE(65_537, 60)],
  [
    'snapshot table beyond EOF',
    'UNSUPPORTED_FORMAT',
    (file) => {
      file.writeUInt32BE(1, 60)
      u64(file, 64, BigInt(file.length + clusterBytes))
    },
  ],
]

const states: readonly Accepted[] = [
  [
    'dirty bit with stale refcounts: reading is fine',
    (file, { refcountBlock }) => {
      file.writeUInt32BE(1, 76)
      file.fill(0x55, refcountBlock, refcountBlock + clusterBytes)
    },
  ],
  ['no snapshots, and a table of them beyond EOF', (file) => u64(file, 64, 2n ** 63n)],
  ['autoclear bits', (file) => u64(file, 88, 2n ** 64n - 1n)],
  [
    'a bitmaps extension that points beyond EOF',
    (file, { extensions }) => {
      file.writeUInt32BE(bitmapsExtension, extensions)
      file.fill(0xff, extensions + 8, extensions + 16)
      u64(file, 88, 1n)
    },
  ],
]

describeMutants('qcow2 states', snapshots, states)

describe('a refused qcow2 image', () => {
  it('with snapshots is told how to get rid of them', async () => {
    const { file } = await goodImage()
    const mutant = Buffer.from(file)
    mutant.writeUInt32BE(1, 60)
    await expect(openImage(mutant)).rejects.toMatchObject({
      message: expect.stringContaining('snapshots'),
      remedy: expect.stringContaining('qemu-img convert'),
    })
  })

  it.each([9, 12, 15, 17, 21])('with cluster_bits %i is a good one of another kind: UNSUPPORTED_FORMAT, to be converted', async (bits) => {
    const { file } = await goodImage()
    const mutant = Buffer.from(file)
    mutant.writeUInt32BE(bits, 20)
    await expect(openImage(mutant)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: expect.stringContaining(`${2 ** bits} bytes`),
      remedy: expect.stringContaining('qemu-img convert'),
    })
  })
})
