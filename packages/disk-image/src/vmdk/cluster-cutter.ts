import { createClusterSet } from '../cluster-set.ts'
import { clusterBytes } from '../clusters.ts'
import { DiskImageError } from '../errors.ts'

/** A cluster of a disk that passes by: 65,536 bytes, fewer at the end of the disk. `index` is the guest offset divided by 65,536. */
export interface PassingCluster {
  readonly index: number
  /** Yours until you ask for the next cluster. */
  readonly bytes: Uint8Array
}

/** Makes clusters of grains: a large one is cut, small ones are joined in one buffer, which is used again. */
export function createClusterCutter() {
  const given = createClusterSet()
  let joining: { readonly bytes: Buffer; index: number } | undefined

  function* rest(size: number): Generator<PassingCluster> {
    if (joining === undefined || joining.index < 0) return
    const { index, bytes } = joining
    joining.index = -1
    yield { index, bytes: bytes.subarray(0, Math.min(clusterBytes, size - index * clusterBytes)) }
  }

  function* join(offset: number, plain: Buffer, size: number): Generator<PassingCluster> {
    const index = Math.floor(offset / clusterBytes)
    if (joining?.index !== index) {
      yield* rest(size)
      if (!given.add(index))
        throw new DiskImageError('UNSUPPORTED_FORMAT', `the VMDK has grains of ${plain.length} bytes that are not in the order of the disk`)
      joining = { bytes: (joining?.bytes ?? Buffer.allocUnsafeSlow(clusterBytes)).fill(0), index }
    }
    plain.copy(joining.bytes, offset - index * clusterBytes)
  }

  return {
    /** A grain at this offset of a disk of `size` bytes. */
    *cut(offset: number, plain: Buffer, size: number): Generator<PassingCluster> {
      if (offset % clusterBytes !== 0 || plain.length < clusterBytes) return yield* join(offset, plain, size)
      const whole = plain.subarray(0, size - offset)
      for (let at = 0; at < whole.length; at += clusterBytes)
        yield { index: (offset + at) / clusterBytes, bytes: whole.subarray(at, at + clusterBytes) }
    },
    /** After the last grain. */
    rest,
  }
}
