import {
  type ByteStream,
  type CallOptions,
  HoldfastError,
  type MappedBlocks,
  mapError,
  type StoredDisk,
  type StoredFile,
} from '@holdfast/core/spec'
import { encodeVmdk } from '@holdfast/disk-image'

/** A file of the package that is sent to the host. */
export interface Part {
  /** As the descriptor names it. */
  readonly href: string
  /** Exact length in bytes. */
  readonly size: number
  readonly disk: boolean
  /** Bytes of data in it, as far as that is known: what it takes of a thin datastore. */
  readonly dataBytes: number
  /** Of the bytes as they are stored, where they are sent so; proven when `open` has been read to its end. */
  readonly sha256?: string
  /** A range is only for who can do with more: a part that is made on the way comes whole. */
  open(options: CallOptions & { readonly start?: number; readonly end?: number }): Promise<ByteStream>
}

/** Parts with disks that are held open while they are sent. */
export interface OpenPart extends Part, AsyncDisposable {}

const nothingToClose = async (): Promise<void> => {}

/** A file that is sent as it is stored. */
export function storedPart(
  href: string,
  file: StoredFile,
  { disk, dataBytes = file.size }: { readonly disk: boolean; readonly dataBytes?: number },
): OpenPart {
  const { size, sha256 } = file
  return { href, size, disk, dataBytes, sha256, open: (options) => file.open(options), [Symbol.asyncDispose]: nothingToClose }
}

const ofDisk = (error: unknown, { name }: StoredDisk): HoldfastError =>
  mapError(error, 'READ_FAILED', `The disk ${name} of the point cannot be read.`)

async function* withOurErrors(bytes: ByteStream, disk: StoredDisk): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* bytes
  } catch (error) {
    throw error instanceof Error && error.name === 'AbortError' ? error : ofDisk(error, disk)
  }
}

async function dataBytesOf(blocks: MappedBlocks, options: CallOptions): Promise<number> {
  let bytes = 0
  for await (const { kind, length } of blocks.extents(options)) if (kind === 'data') bytes += length
  return bytes
}

/**
 * A disk that is not kept as a VMDK, as one whose length is known before its first byte: its grains are not packed. The disk stays open until the part is disposed.
 * @throws What the disk throws, with a code of ours.
 */
export async function encodedPart(href: string, disk: StoredDisk, options: CallOptions): Promise<OpenPart> {
  const blocks = await disk.open(options)
  try {
    const vmdk = await encodeVmdk(blocks, { form: 'stored', signal: options.signal })
    if (vmdk.size === undefined) throw new HoldfastError('INTERNAL', `The length of ${href} is not known.`)
    return {
      href,
      size: vmdk.size,
      disk: true,
      dataBytes: await dataBytesOf(blocks, options),
      open: async (inner) => withOurErrors(vmdk.open(inner), disk),
      [Symbol.asyncDispose]: () => blocks[Symbol.asyncDispose](),
    }
  } catch (error) {
    await blocks[Symbol.asyncDispose]()
    if (options.signal.aborted) throw options.signal.reason
    throw ofDisk(error, disk)
  }
}
