import { createVmdkDecoder, DiskImageError, type PassingCluster, scanVmdk } from '@holdfast/disk-image'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { vmdkSizeOf } from './vmdk-of-disk.ts'

/** Walks a streamOptimized VMDK as it passes. */
export interface VmdkScanner {
  /** Throws PROVIDER_FAILED at the first byte that cannot be right and for a disk of another size, UNSUPPORTED_FORMAT for another kind of VMDK. */
  write(chunk: Uint8Array): void
  /** Proves that the image was whole: TRUNCATED otherwise. */
  end(): void
}

export interface VmdkScannerOptions {
  readonly what: string
  /** Size of the disk that was announced, in bytes: PROVIDER_FAILED when the VMDK is of another one. Absent: any. */
  readonly size?: number | undefined
}

/** Proves that a VMDK is whole and of its size, without unpacking it. */
export function createVmdkScanner(options: VmdkScannerOptions): VmdkScanner {
  const scan = scanVmdk()
  const checked = (act: () => void) => {
    naming(options.what, act)
    checkSize(scan.size, options)
  }
  return { write: (chunk) => checked(() => scan.write(chunk)), end: () => checked(() => scan.end()) }
}

/** As a {@link VmdkScanner} that also gives what is in it. */
export interface VmdkReader {
  write(chunk: Uint8Array): Promise<void>
  end(): Promise<void>
}

export interface VmdkReaderOptions extends VmdkScannerOptions, CallOptions {
  readonly size: number
  /** Each cluster that is in the VMDK, in its order; the bytes are lent. */
  onCluster(cluster: PassingCluster): Promise<void> | void
}

/** Proves that a VMDK is whole and of its size while it unpacks it. */
export function createVmdkReader({ what, size, onCluster, signal }: VmdkReaderOptions): VmdkReader {
  const decoder = createVmdkDecoder({ signal })
  const take = async (clusters: AsyncGenerator<PassingCluster, void, undefined>) => {
    for (;;) {
      const next = await clusters.next().catch((error: unknown) => {
        throw named(what, error)
      })
      checkSize(decoder.size, { what, size })
      if (next.done === true) return
      await onCluster(next.value)
    }
  }
  return { write: (chunk) => take(decoder.feed(chunk)), end: () => take(decoder.end()) }
}

function checkSize(found: number | undefined, { what, size }: VmdkScannerOptions): void {
  if (found !== undefined && size !== undefined && found !== vmdkSizeOf(size))
    throw new HoldfastError('PROVIDER_FAILED', `${what}: announced as a disk of ${size} bytes, the VMDK is one of ${found}`)
}

function naming<T>(what: string, act: () => T): T {
  try {
    return act()
  } catch (error) {
    throw named(what, error)
  }
}

/** What is wrong with a VMDK is a failure of the platform that sent it. */
function named(what: string, error: unknown): unknown {
  if (!DiskImageError.isInstance(error)) return error
  const code = error.code === 'TRUNCATED' || error.code === 'UNSUPPORTED_FORMAT' ? error.code : 'PROVIDER_FAILED'
  return new HoldfastError(code, `${what}: ${error.message}`, { cause: error })
}
