import { parseOvf } from './parse-ovf.ts'

/** All elements of a name, from their beginning to their end, whatever their prefix. None of those that are looked for holds another one of its name. */
const elements = (name: string): RegExp =>
  new RegExp(`[ \\t]*<((?:[\\w.-]+:)?)${name}\\b[^>]*?(?:/>|>[\\s\\S]*?</\\1${name}>)[ \\t]*\\r?\\n?`, 'g')

/**
 * A descriptor without the disks that have no file, and without the devices that hold them: a host describes the whole machine, also disks that no snapshot holds, and would make
 * empty ones of them.
 * @throws As `parseOvf`; RangeError: one of them could not be taken out.
 */
export function withoutEmptyDisks(text: string, what: string): string {
  const empty = new Set(parseOvf(text, { what }).disks.flatMap(({ id, fileRef }) => (fileRef === undefined ? [id] : [])))
  if (empty.size === 0) return text
  const names = (element: string, which: RegExp): boolean => empty.has(which.exec(element)?.[1] ?? '')
  const without = text
    .replaceAll(elements('Item'), (item) => (names(item, /HostResource>\s*(?:ovf:)?\/disk\/([^<\s]+)\s*</) ? '' : item))
    .replaceAll(elements('Disk'), (disk) => (names(disk, /\bdiskId\s*=\s*["']([^"']*)["']/) ? '' : disk))
  if (parseOvf(without, { what }).disks.some(({ fileRef }) => fileRef === undefined))
    throw new RangeError(`${what}: a disk without a file cannot be taken out of it`)
  return without
}
