import type { Manifest, StoredFileEntry } from './manifest-types.ts'

/** Lists the files of a number that were kept as they came, for `sha256sum -c`. */
export const sumsFileName = 'SHA256SUMS'

/** Every file entry that a manifest names: data, sums, indexes. */
export function fileEntriesOf(manifest: Pick<Manifest, 'items'>): readonly StoredFileEntry[] {
  return manifest.items.flatMap((item) => {
    if (item.type === 'disk') return [item.file, item.sums]
    return [item.file, item.index, item.sums].filter((file) => file !== undefined)
  })
}

/** `<n>/SHA256SUMS` for each number with files that were kept as they came. They are made from the items, so the manifest need not name them. */
export function sumsFilesOf(manifest: Pick<Manifest, 'items'>): readonly string[] {
  const kept = manifest.items.filter((item) => item.type === 'stream' && item.form === 'kept')
  return [...new Set(kept.map((item) => `${item.file.path.slice(0, item.file.path.indexOf('/'))}/${sumsFileName}`))]
}

/** Paths of all files that belong to a manifest, relative to the point's folder: what the rule named-stays keeps and what verify reads. */
export function filesOfManifest(manifest: Pick<Manifest, 'items'>): readonly string[] {
  return [...new Set([...fileEntriesOf(manifest).map((file) => file.path), ...sumsFilesOf(manifest)])]
}
