import { encodeQcow2, encodeRaw, encodeVmdk } from '@holdfast/disk-image'
import type { ByteStream, CallOptions, MappedBlocks } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { StoredDisk } from '../spec/restore.ts'

/**
 * What a disk can be sent as. `raw`: its bytes, zeros included. `qcow2`: one image without a backing file, zeros left out. `vmdk`: streamOptimized, as
 * imports of machines take it, compressed. `vmdk-stored`: the same uncompressed, 0.9 % longer than its data, for whoever must be told the length beforehand.
 */
export type DiskFormat = (typeof diskFormats)[number]

/** All of them, the one that every program reads first. */
export const diskFormats = ['raw', 'qcow2', 'vmdk', 'vmdk-stored'] as const

/** A disk in one of the formats, ready to be sent. */
export interface EncodedDisk {
  readonly format: DiskFormat
  /** Exact length in bytes, before the first one is read; absent for `vmdk`, of which it is known at the end. */
  readonly size?: number
  /** For a `Content-Type`. */
  readonly mediaType: string
  /**
   * The bytes, read and checked as they go; each call reads the disk again. It ends only when the disk is whole; otherwise it throws, before any byte that
   * is wrong. Chunks are large and lent: copy one before you ask for the next, if it is still in use then. `fetch` and `Readable.from` read ahead, so they
   * must be given copies; `httpPut` needs none.
   */
  open(options: CallOptions): ByteStream
}

const vmdkType = 'application/x-vnd.vmware-streamVmdk'

/**
 * A disk as a stream of bytes in a format, made while it is read: no temporary file, and memory that does not depend on the size of the disk. The extents of
 * the disk are read here (not for `raw`), its data when the stream is. The disk stays the caller's, who disposes it after the last stream.
 * @throws INVALID_OPTIONS: no such format, or a disk that the format cannot hold (VMDK: 2 TiB of data). What the disk throws passes; ABORTED or the
 * signal's reason.
 */
export async function encodeDisk(disk: MappedBlocks, format: DiskFormat, { signal }: CallOptions): Promise<EncodedDisk> {
  signal.throwIfAborted()
  switch (format) {
    case 'raw':
      return { format, mediaType: 'application/octet-stream', ...encodeRaw(disk) }
    case 'qcow2': {
      const { size, open } = await encodeQcow2(disk, { covers: 'all', signal })
      return { format, mediaType: 'application/x-qemu-disk', size, open }
    }
    case 'vmdk':
      return { format, mediaType: vmdkType, ...(await encodeVmdk(disk, { form: 'deflated', signal })) }
    case 'vmdk-stored':
      return { format, mediaType: vmdkType, ...(await encodeVmdk(disk, { form: 'stored', signal })) }
    default:
      throw new HoldfastError('INVALID_OPTIONS', `format is ${JSON.stringify(format)}; allowed: ${diskFormats.join(', ')}`)
  }
}

/** A disk of a point, on its way out. It ends also when the signal aborts that it was opened with. Disposing it closes the files of the point. */
export interface DiskStream extends EncodedDisk, AsyncDisposable {
  readonly disk: Pick<StoredDisk, 'key' | 'name' | 'size'>
}

/** Opens a disk of a point and has it encoded by {@link encodeDisk}, of which also the errors are. On failure, and by its dispose, everything is closed. */
export async function streamStoredDisk(stored: StoredDisk, format: DiskFormat, options: CallOptions): Promise<DiskStream> {
  const blocks = await stored.open(options)
  try {
    const { key, name, size } = stored
    const encoded = await encodeDisk(blocks, format, options)
    return {
      ...encoded,
      disk: { key, name, size },
      open: ({ signal }) => encoded.open({ signal: AbortSignal.any([options.signal, signal]) }),
      [Symbol.asyncDispose]: () => blocks[Symbol.asyncDispose](),
    }
  } catch (error) {
    await blocks[Symbol.asyncDispose]()
    throw error
  }
}
