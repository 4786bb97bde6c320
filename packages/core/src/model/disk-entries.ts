import type { DiskItem, Manifest, ManifestItem } from './manifest-types.ts'

/** Of no bytes. */
const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const sumsHeaderBytes = 32
const sumBytes = 24
const clusterBytes = 65_536

/**
 * An item as a disk that later points can build on: every disk, and a VMDK that was kept as it came if its cluster sums were made. Such a VMDK is a full, and
 * has no metadata that is hashed apart, because the whole file is.
 */
export function diskEntryOf(item: ManifestItem): DiskItem | undefined {
  if (item.type === 'disk') return item
  const { disk, file, sums, digest, replaces } = item
  if (disk === undefined || sums === undefined || digest === undefined) return undefined
  return {
    type: 'disk',
    disk,
    format: 'vmdk',
    file,
    metadata: { size: 0, sha256: emptySha256 },
    sums,
    digest,
    form: 'full',
    reason: 'kept as it came',
    dataBytes: Math.floor((sums.size - sumsHeaderBytes) / sumBytes) * clusterBytes,
    ...(replaces && { replaces }),
  }
}

/** The disks of a point that later points can build on. */
export function diskEntriesOf({ items }: Pick<Manifest, 'items'>): readonly DiskItem[] {
  return items.flatMap((item) => diskEntryOf(item) ?? [])
}
