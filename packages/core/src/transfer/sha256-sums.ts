import type { ManifestItem } from '../model/manifest.ts'

/**
 * The content of `<number>/SHA256SUMS`: the streams that were kept as they came and lie in that number, sorted by path, as `sha256sum -c` reads it. A
 * function of the manifest, so it needs no entry of its own there. Undefined when there is nothing to say.
 */
export function sha256SumsOf(items: readonly ManifestItem[], number: number): string | undefined {
  const prefix = `${number}/`
  const lines = items
    .filter((item) => item.type === 'stream' && item.form === 'kept' && item.file.path.startsWith(prefix))
    .map(({ file }) => ({ name: file.path.slice(prefix.length), sha256: file.sha256 ?? '' }))
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, sha256 }) => `${sha256}  ${name}\n`)
  return lines.length === 0 ? undefined : lines.join('')
}
