import { HoldfastError } from '@holdfast/core/spec'
import { concat, isZero, text } from './bytes.ts'

const block = 512

/**
 * A ustar archive of regular files (mode 0644, owner 0, time 0), sorted by name, ended by two zero blocks: the same files give the same
 * bytes. Names have at most 100 bytes. Enough for tests; not for real volumes.
 */
export function tarOf(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [name, bytes] of [...files].sort(([one], [other]) => (one < other ? -1 : 1))) {
    parts.push(header(name, bytes.length), bytes, new Uint8Array((block - (bytes.length % block)) % block))
  }
  return concat([...parts, new Uint8Array(2 * block)])
}

function header(name: string, size: number): Uint8Array {
  const bytes = new Uint8Array(block)
  const put = (at: number, value: string) => bytes.set(text(value), at)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  if (text(name).length > 100) throw new HoldfastError('INVALID_OPTIONS', `tar name "${name}" is longer than 100 bytes`)
  put(0, name)
  put(100, `${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0${octal(size, 11)}\0${octal(0, 11)}\0        0`)
  put(257, 'ustar\x0000')
  const sum = bytes.reduce((total, byte) => total + byte, 0)
  put(148, `${octal(sum, 6)}\0 `)
  return bytes
}

/** The regular files of an archive made by `tarOf`. Throws TRUNCATED when it does not end with two zero blocks. */
export function filesOfTar(tar: Uint8Array): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>()
  const field = (at: number, length: number) => new TextDecoder().decode(tar.subarray(at, at + length)).replace(/\0.*$/s, '')
  let at = 0
  for (; at + 2 * block <= tar.length; ) {
    if (isZero(tar.subarray(at, at + 2 * block))) return files
    const size = Number.parseInt(field(at + 124, 12), 8)
    const start = at + block
    if (!(size >= 0) || start + size > tar.length) break
    files.set(field(at, 100), tar.slice(start, start + size))
    at = start + Math.ceil(size / block) * block
  }
  throw new HoldfastError('TRUNCATED', `tar archive of ${tar.length} bytes ends at ${at} without its end blocks`)
}
