import { asBuffer } from '../clusters.ts'
import { sectorBytes } from './format.ts'
import { walkVmdk } from './walk.ts'

/** Looks at a VMDK as its bytes pass by, without unpacking its grains. */
export interface VmdkScan {
  /** Size of the disk in bytes, a multiple of 512; known once the header has passed. */
  readonly size: number | undefined
  /** @throws IMAGE_DAMAGED or UNSUPPORTED_FORMAT at the first byte that cannot be right. */
  write(chunk: Uint8Array): void
  /** Proves that the image was whole. @throws TRUNCATED, IMAGE_DAMAGED. */
  end(): void
}

/** Proves that a streamOptimized VMDK is whole, as far as that can be told without unpacking it: what `decodeVmdkStream` proves but for the checksums of its grains. */
export function scanVmdk(): VmdkScan {
  const walk = walkVmdk()
  return {
    get size() {
      return walk.header === undefined ? undefined : walk.header.capacity * sectorBytes
    },
    write(chunk) {
      const bytes = asBuffer(chunk)
      for (let at = 0; at < bytes.length; ) at = walk.write(bytes, at)
    },
    end: () => walk.end(),
  }
}
