import { bufferOf, type TarContext, tarFault } from './tar-header.ts'

/** Records of a pax header by their keys. Values are bytes: names need not be UTF-8. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>

/** Decodes the records `length key=value\n` of a pax header; `at` is the offset of that header in the archive. Throws the context's code when a record lies about its length. */
export function parsePaxRecords(bytes: Uint8Array, at: number, context: TarContext): PaxRecords {
  const body = bufferOf(bytes)
  const records = new Map<string, Uint8Array>()
  for (let start = 0; start < body.length; ) {
    const space = body.indexOf(0x20, start)
    const digits = space < 0 ? '' : body.toString('latin1', start, space)
    const length = /^[0-9]{1,9}$/.test(digits) ? Number(digits) : 0
    const end = start + length
    const equals = body.indexOf(0x3d, space)
    if (length === 0 || end > body.length || equals <= space + 1 || equals >= end || body[end - 1] !== 0x0a)
      throw tarFault(context, `the pax header at byte ${at} has a record that is not "length key=value"`)
    records.set(body.toString('latin1', space + 1, equals), body.subarray(equals + 1, end - 1))
    start = end
  }
  return records
}

/** A record that names something. Empty means "as in the header", as if it were not there (POSIX). */
export function paxText(records: PaxRecords, key: string): Uint8Array | undefined {
  const value = records.get(key)
  return value === undefined || value.length === 0 ? undefined : value
}

/** A record of decimal digits. */
export function paxNumber(records: PaxRecords, key: string, at: number, context: TarContext): number | undefined {
  const value = records.get(key)
  if (value === undefined) return undefined
  const text = bufferOf(value).toString('latin1')
  const number = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(number))
    throw tarFault(context, `the pax header before byte ${at} has the ${key} ${JSON.stringify(text.slice(0, 40))}`)
  return number
}
