import { type ByteStream, bytesOf, type CallOptions, HoldfastError, type RestoreSource, showValue } from '@holdfast/core/spec'
import { fileNameOf } from '../backup/export-files.ts'
import type { RestorePackage } from '../restore/restore-package.ts'
import { packOva } from './pack-ova.ts'
import { openPointPackage } from './point-package.ts'

/** What `openOva` is told. */
export interface OvaOptions extends CallOptions {
  /** Time of the files in the archive, ISO 8601 UTC; for example when the point was made. Default: 1970. */
  readonly modifiedAt?: string
}

/** A machine as one file that VMware, VirtualBox and others import, ready to be sent. Disposing closes the files of the point. */
export interface Ova extends AsyncDisposable {
  /** A plain file name, such as `web.ova`. */
  readonly name: string
  /** Exact length in bytes, before the first one is read. */
  readonly size: number
  /** For a `Content-Type`. */
  readonly mediaType: string
  /** In their order: descriptor, disks and other files as the descriptor names them, manifest. */
  readonly entries: readonly { readonly name: string; readonly size: number }[]
  /**
   * The bytes, packed, read and checked as they go; each call reads the point again. It ends only when all of it was whole; otherwise it throws, and what
   * came before is no OVA. Chunks are lent: copy one before you ask for the next, if it is still in use then.
   */
  open(options: CallOptions): ByteStream
}

function secondsOf(modifiedAt: string | undefined): number {
  const seconds = modifiedAt === undefined ? 0 : Date.parse(modifiedAt) / 1000
  if (Number.isFinite(seconds)) return seconds
  throw new HoldfastError('INVALID_OPTIONS', `modifiedAt is ${showValue(modifiedAt)}; expected a time such as "2026-11-20T02:00:00Z"`)
}

/** An OVA without one of the disks would be taken for the machine. */
function requireAllDisks({ point, disks }: RestoreSource, { parts }: RestorePackage): void {
  const packed = parts.filter(({ disk }) => disk).length
  if (packed !== disks.length)
    throw new HoldfastError('POINT_DAMAGED', `Point ${point} holds ${disks.length} disks, its descriptor names ${packed}.`)
}

/**
 * A point of a machine as an OVA, packed while it is read: no temporary file, constant memory, its exact length known beforehand. Disks that were kept as
 * VMDK go in as they are. Disks of a chain are merged on the way and go in uncompressed, since only so their length is known; the descriptor names the
 * true sizes. Points of other platforms get a descriptor that is written from `machine`. Sums stand in a manifest at the end of the archive.
 * @throws UNSUPPORTED: no machine, or one that VMware cannot have. POINT_DAMAGED or CHECKSUM_MISMATCH: something of the point is not as recorded, here or in
 * the middle of the stream. INVALID_OPTIONS. ABORTED or the signal's reason.
 */
export async function openOva(source: RestoreSource, { signal, modifiedAt }: OvaOptions): Promise<Ova> {
  const modified = secondsOf(modifiedAt)
  const opened = await openPointPackage(source, { signal })
  try {
    requireAllDisks(source, opened)
    const base = fileNameOf(source.machine?.name ?? opened.ovf.machine.name).slice(0, 80)
    const descriptor = new TextEncoder().encode(opened.descriptor)
    const files = [
      { name: `${base}.ovf`, size: descriptor.length, open: async () => bytesOf(descriptor) },
      ...opened.parts.map(({ href, ...part }) => ({ name: href, ...part })),
    ]
    const { size, entries, open } = packOva(files, { manifest: `${base}.mf`, modified })
    return {
      name: `${base}.ova`,
      size,
      mediaType: 'application/x-tar',
      entries,
      open: (options) => open({ signal: AbortSignal.any([signal, options.signal]) }),
      [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
    }
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}
