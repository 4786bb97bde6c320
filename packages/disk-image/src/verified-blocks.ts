import type { CallOptions, MappedBlocks } from './blocks.ts'
import { sameSum, sumOf, zeroSum } from './cluster-sums.ts'
import { checkRange, clusterBytes, clustersOf, isZero } from './clusters.ts'
import { disposeOnce } from './dispose.ts'
import { DiskImageError } from './errors.ts'
import type { SumsFile } from './sums-file.ts'

/** Clusters read at once for a caller whose range does not begin and end with clusters. */
const bounceClusters = 16

function mismatch(index: number): DiskImageError {
  const guestOffset = index * clusterBytes
  return new DiskImageError('CHECKSUM_MISMATCH', `the cluster at guest offset ${guestOffset} differs from its sum`, {
    details: { guestOffset },
  })
}

/** Compares whole clusters (the last may be the short one of the disk) with their sums; what has no sum must be zero. */
async function checkClusters(bytes: Uint8Array, first: number, sums: SumsFile, options: CallOptions): Promise<void> {
  for (let at = 0; at < bytes.length; at += clusterBytes) {
    const index = first + at / clusterBytes
    const cluster = bytes.subarray(at, at + clusterBytes)
    const expected = (await sums.find(index, options))?.sum ?? zeroSum
    const good = isZero(cluster) ? sameSum(expected, zeroSum) : sameSum(sumOf(cluster), expected)
    if (!good) throw mismatch(index)
  }
}

/**
 * One image whose every cluster is compared with its sum before a read resolves; a cluster without a sum must read as zero. Of a range that begins or ends inside a cluster, the whole cluster is checked.
 * For a chain, verify each layer and give them to `chainView`. Takes both over.
 * @throws CHECKSUM_MISMATCH with the guest offset of the cluster; INVALID_OPTIONS when the sums are of a disk of another size. What image and sums throw passes through; an aborted signal rejects with its reason.
 */
export function verifiedBlocks(blocks: MappedBlocks, sums: SumsFile): MappedBlocks {
  const { size } = blocks
  if (size !== sums.size) {
    throw new DiskImageError('INVALID_OPTIONS', `the sums are of a disk of ${sums.size} bytes, the image has ${size}`)
  }
  const free: Buffer[] = []
  const readUnaligned = async (target: Uint8Array, offset: number, options: CallOptions) => {
    const buffer = free.pop() ?? Buffer.allocUnsafeSlow(bounceClusters * clusterBytes)
    const end = offset + target.length
    try {
      for (let at = offset; at < end; ) {
        const first = Math.floor(at / clusterBytes)
        const start = first * clusterBytes
        const part = buffer.subarray(0, Math.min(buffer.length, size - start, clustersOf(end - start) * clusterBytes))
        await blocks.readInto(part, start, options)
        await checkClusters(part, first, sums, options)
        const stop = Math.min(end, start + part.length)
        target.set(part.subarray(at - start, stop - start), at - offset)
        at = stop
      }
    } finally {
      free.push(buffer)
    }
  }
  return {
    size,
    ...(blocks.readers !== undefined && { readers: blocks.readers }),
    ...(blocks.readBytes !== undefined && { readBytes: blocks.readBytes }),
    extents: (options) => blocks.extents(options),
    async readInto(target, offset, options) {
      checkRange(size, offset, target.length)
      const end = offset + target.length
      if (offset % clusterBytes !== 0 || (end % clusterBytes !== 0 && end !== size)) return readUnaligned(target, offset, options)
      await blocks.readInto(target, offset, options)
      await checkClusters(target, offset / clusterBytes, sums, options)
    },
    [Symbol.asyncDispose]: disposeOnce([blocks, sums]),
  }
}
