import { HoldfastError, showValue } from '@holdfast/core/spec'
import type { Ovf, OvfFile } from './ovf-types.ts'

/** A file that lies beside a descriptor. `size` is in bytes. */
export interface PackageFile {
  readonly name: string
  readonly size: number
}

/** The files that must be there for one reference; a file in chunks has several. */
export function expectedFiles({ href, size, chunkSize }: OvfFile): readonly { readonly name: string; readonly size?: number }[] {
  if (chunkSize === undefined || size === undefined) return [{ name: href, ...(size !== undefined && { size }) }]
  const count = Math.max(1, Math.ceil(size / chunkSize))
  // A hostile descriptor must not fill the memory with names.
  if (count > 100_000) throw new HoldfastError('UNSUPPORTED', `${href} is said to be in ${count} chunks; up to 100000 are taken`)
  return Array.from({ length: count }, (_, index) => ({
    name: `${href}.${String(index).padStart(9, '0')}`,
    size: Math.min(chunkSize, size - index * chunkSize),
  }))
}

/**
 * Proves that a package is whole: every file that its descriptor names is there, with exactly the size that it says. Files that no reference names do not
 * matter.
 * @throws the context's code, with every name that is missing or of another size.
 */
export function checkOvf(
  ovf: Pick<Ovf, 'files'>,
  files: Iterable<PackageFile>,
  { what, code = 'POINT_DAMAGED' }: { readonly what: string; readonly code?: 'POINT_DAMAGED' | 'INVALID_OPTIONS' },
): void {
  const sizes = new Map([...files].map(({ name, size }) => [name, size]))
  const problems = ovf.files.flatMap(expectedFiles).flatMap(({ name, size }) => {
    const found = sizes.get(name)
    if (found === undefined) return [`${showValue(name)} is not there`]
    return size === undefined || size === found ? [] : [`${showValue(name)} has ${found} bytes, the descriptor says ${size}`]
  })
  if (problems.length === 0) return
  const more = problems.length > 5 ? `; and ${problems.length - 5} more` : ''
  throw new HoldfastError(code, `${what}: ${problems.slice(0, 5).join('; ')}${more}`, {
    remedy: 'Put the files that the descriptor names beside it, as they were exported together, or export the machine again.',
  })
}
