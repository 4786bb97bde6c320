import { clusterBytes } from '@holdfast/disk-image'
import type { CorpusFormat } from './corpus.ts'

/** A number in an image: where it is and how wide. */
export interface Field {
  readonly at: number
  readonly bytes: 1 | 2 | 4 | 8
}

/** What a mutation needs to know of a good image. */
export interface Anatomy {
  readonly bigEndian: boolean
  /** Unit in which the format counts places. */
  readonly unit: number
  readonly fields: readonly Field[]
}

const field = (at: number, bytes: Field['bytes'] = 8): Field => ({ at, bytes })

/** The entries of a table that say something, and two that do not. */
function entriesOf(file: Buffer, start: number, length: number, bytes: 4 | 8): Field[] {
  const fields: Field[] = []
  let empty = 0
  for (let at = start; at + bytes <= Math.min(start + length, file.length); at += bytes) {
    const used = file.subarray(at, at + bytes).some((byte) => byte !== 0)
    if (used || empty < 2) fields.push(field(at, bytes))
    if (!used) empty += 1
  }
  return fields
}

/** The first numbers of a compressed cluster: magic, sizes, tables of codes. */
const packedFields = (at: number): Field[] => [field(at, 4), field(at + 4, 1), field(at + 5, 4), field(at + 8, 2), field(at + 20, 4)]

function qcow2Fields(file: Buffer): Field[] {
  const place = (at: number) => Number(file.readBigUInt64BE(at) & 0x00ff_ffff_ffff_fe00n)
  const words = [4, 16, 20, 32, 36, 56, 60, 72, 76, 80, 84, 88, 92, 96, 100].map((at) => field(at, 4))
  const longs = [8, 24, 40, 48, 64].map((at) => field(at))
  const headerLength = file.readUInt32BE(4) === 2 ? 72 : file.readUInt32BE(100)
  const extensions = Array.from({ length: 8 }, (_, index) => field(headerLength + index * 4, 4))
  const l1 = entriesOf(file, place(40), file.readUInt32BE(36) * 8, 8)
  const l2 = l1
    .map(({ at }) => place(at))
    .filter((at) => at > 0)
    .flatMap((at) => entriesOf(file, at, clusterBytes, 8))
  const isPacked = ({ at }: Field) => (file.readUInt8(at) & 0x40) !== 0
  const packed = l2.filter(isPacked).flatMap(({ at }) => packedFields(Number(file.readBigUInt64BE(at) & ((1n << 54n) - 1n))))
  const refcountTable = entriesOf(file, place(48), clusterBytes, 8)
  const blocks = refcountTable.map(({ at }) => place(at)).filter((at) => at > 0)
  const refcounts = blocks.flatMap((at) => Array.from({ length: 12 }, (_, index) => field(at + index * 2, 2)))
  return [...words, field(104, 1), ...longs, ...extensions, ...l1, ...l1, ...l2, ...l2, ...packed, ...refcountTable, ...refcounts]
}

const sector = 512
const directoryAtEnd = 2n ** 64n - 1n

function vmdkHeaderFields(at: number): Field[] {
  const longs = [12, 20, 28, 36, 48, 56, 64].map((offset) => field(at + offset))
  return [field(at + 4, 4), field(at + 8, 4), field(at + 44, 4), field(at + 72, 1), field(at + 73, 4), field(at + 77, 2), ...longs]
}

function vmdkFields(file: Buffer): Field[] {
  const header = vmdkHeaderFields(0)
  const atEnd = file.readBigUInt64LE(56) === directoryAtEnd
  const footer = file.length - 2 * sector
  const tail = [footer - sector, footer + sector].flatMap((marker) => [field(marker), field(marker + 8, 4), field(marker + 12, 4)])
  const directory = Number(file.readBigUInt64LE((atEnd ? footer : 0) + 56)) * sector
  const tables = entriesOf(file, directory, 4 * 8, 4).filter(({ at }) => file.readUInt32LE(at) !== 0)
  const grains = tables.flatMap(({ at }) => entriesOf(file, file.readUInt32LE(at) * sector, 512 * 4, 4))
  const markers = grains
    .map(({ at }) => file.readUInt32LE(at) * sector)
    .filter((at) => at > 0)
    .flatMap((at) => [field(at), field(at + 8, 4), field(at + 12, 2)])
  const descriptor = Array.from({ length: 40 }, (_, index) => field(sector + index * 8))
  return [...header, ...(atEnd ? [...vmdkHeaderFields(footer), ...tail] : []), ...tables, ...tables, ...grains, ...markers, ...descriptor]
}

/** Where the numbers of a good image are. */
export function anatomyOf(format: CorpusFormat, file: Buffer): Anatomy {
  if (format === 'qcow2') return { bigEndian: true, unit: clusterBytes, fields: qcow2Fields(file) }
  return { bigEndian: false, unit: sector, fields: vmdkFields(file) }
}
