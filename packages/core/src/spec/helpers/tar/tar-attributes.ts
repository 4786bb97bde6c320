import { paxNumber, paxText } from './pax-records.ts'
import { bufferOf, type TarContext, tarFault, tarNumber } from './tar-header.ts'
import type { TarEntry } from './tar-scanner.ts'

/** What an archive says about an entry besides its name and content. */
export interface TarAttributes {
  /** Permission bits, with whatever the writer put above them. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970-01-01 UTC, rounded down; negative before. */
  readonly modified: number
  /** Of a device, `major:minor`; `0:0` in a v7 archive, which has no place for it. */
  readonly device: string
}

/** Decodes the attributes of an entry, pax records first. Only while the entry is lent. Throws the context's code when one is no number. */
export function readTarAttributes({ header, pax, offset }: TarEntry, context: TarContext): TarAttributes {
  const field = (what: string, start: number, length: number): number => {
    const value = tarNumber(header.block, start, length)
    if (value === undefined) throw tarFault(context, `the tar header before byte ${offset} has a ${what} that is no number`)
    return value
  }
  const record = (key: string): number | undefined => (paxText(pax, key) ? paxNumber(pax, key, offset, context) : undefined)
  const time = paxText(pax, 'mtime')
  const modified = time === undefined ? field('time', 136, 12) : Number(bufferOf(time).toString('latin1'))
  if (!Number.isFinite(modified)) throw tarFault(context, `the pax header before byte ${offset} has an mtime that is no number`)
  const devices = header.format !== 'v7' && header.format !== 'unknown'
  return {
    mode: field('mode', 100, 8),
    uid: record('uid') ?? field('uid', 108, 8),
    gid: record('gid') ?? field('gid', 116, 8),
    modified: Math.floor(modified),
    device: devices ? `${field('device', 329, 8)}:${field('device', 337, 8)}` : '0:0',
  }
}
