import { assertSafeName, showValue } from '@holdfast/core/spec'
import { type OvfContext, ovfFault } from './ovf-document.ts'

/** Sums that manifests of packages are made with, and the bytes of each. */
const digestBytes = { SHA1: 20, SHA256: 32, SHA512: 64 } as const

/** One line of a manifest: the sum of a file of the package. */
export interface ManifestLine {
  readonly name: string
  readonly algorithm: keyof typeof digestBytes
  /** Lower-case hex. */
  readonly digest: string
}

/** The `.mf` of a package: one line for each file, as `ovftool`, `govc` and `openssl dgst` write it. Source: DSP0243, section on package integrity. */
export const writeManifest = (lines: readonly ManifestLine[]): string =>
  lines.map(({ name, algorithm, digest }) => `${algorithm}(${name})= ${digest}\n`).join('')

/** Bytes that {@link writeManifest} will write, before the sums are known. */
export const manifestBytes = (lines: readonly Pick<ManifestLine, 'name' | 'algorithm'>[]): number =>
  lines.reduce((sum, { name, algorithm }) => sum + Buffer.byteLength(`${algorithm}(${name})= \n`) + 2 * digestBytes[algorithm], 0)

const longestManifest = 1024 * 1024
const pattern = /^(SHA1|SHA256|SHA512)\s*\((.+)\)\s*=\s*([0-9a-f]+)$/i

/**
 * Reads the `.mf` of a package, with any blanks and letters that its writers use. Empty lines do not matter.
 * @throws the context's code with the line that is none, or that names a file again; PATH_OUTSIDE: a name that leads elsewhere.
 */
export function parseManifest(text: string, context: OvfContext): readonly ManifestLine[] {
  if (text.length > longestManifest)
    throw ovfFault(context, `it has ${text.length} characters, more than the ${longestManifest} that are read`)
  const lines: ManifestLine[] = []
  const names = new Set<string>()
  for (const [index, raw] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim()
    if (line === '') continue
    const [, word, name, hex] = pattern.exec(line) ?? []
    if (word === undefined || name === undefined || hex === undefined)
      throw ovfFault(context, `${showValue(line)} is no sum of a file, as "SHA256(name)= hex" is`, index + 1)
    const algorithm = word.toUpperCase() as ManifestLine['algorithm']
    if (hex.length !== 2 * digestBytes[algorithm])
      throw ovfFault(context, `the ${algorithm} of ${showValue(name)} has ${hex.length} digits`, index + 1)
    assertSafeName(name, `${context.what}, line ${index + 1}: the name`)
    if (names.has(name)) throw ovfFault(context, `${showValue(name)} is there twice`, index + 1)
    names.add(name)
    lines.push({ name, algorithm, digest: hex.toLowerCase() })
  }
  return lines
}
