import * as z from 'zod'
import { HoldfastError } from '../spec/errors.ts'
import type { Flags } from '../spec/store.ts'
import { decodeChecksummed, encodeChecksummed } from './checksummed-json.ts'
import { type FlagName, flagFileNames, flagNames } from './flag-names.ts'
import { flagPath, isoTime } from './names.ts'
import { timeSchema } from './schemas.ts'

export { type FlagName, flagFileNames, flagNames } from './flag-names.ts'

/** Names of all flag files, relative to the point's folder. */
export const flagFiles: readonly string[] = flagNames.map((flag) => flagFileNames[flag])

/** The member of {@link Flags} that each file carries. */
export const flagMembers = { pin: 'pin', hold: 'holdUntil', quarantine: 'quarantine', verified: 'verifiedAt' } as const satisfies {
  readonly [flag in FlagName]: keyof Flags
}

const header = { formatVersion: z.literal(1), folder: z.string() }
const schemas = {
  pin: z.strictObject({ ...header, reason: z.string() }),
  hold: z.strictObject({ ...header, until: timeSchema }),
  quarantine: z.strictObject({ ...header, reason: z.string() }),
  verified: z.strictObject({ ...header, at: timeSchema }),
}

/**
 * The bytes of one flag's file, or undefined if that flag is not set. `folder` is that of the point: a file that was copied to another point does not
 * count there.
 */
export function encodeFlag(folder: string, flag: FlagName, flags: Flags): Uint8Array | undefined {
  const value = flags[flagMembers[flag]]
  if (value === undefined) return undefined
  const begin = { formatVersion: 1, folder }
  if (flag === 'hold') return encodeChecksummed({ ...begin, until: isoTime(Number(value)) })
  if (flag === 'verified') return encodeChecksummed({ ...begin, at: isoTime(Number(value)) })
  return encodeChecksummed({ ...begin, reason: String(value) })
}

/** The opposite of {@link encodeFlag}. Throws POINT_DAMAGED when the file does not verify or is another point's, UNSUPPORTED_FORMAT when it is newer. */
export function decodeFlag(bytes: Uint8Array, folder: string, flag: FlagName): Flags {
  const path = flagPath(folder, flag)
  const members = decodeChecksummed(bytes, { path, code: 'POINT_DAMAGED' })
  const parsed = schemas[flag].safeParse(members)
  if (!parsed.success) {
    throw new HoldfastError('POINT_DAMAGED', `${path} verifies but is not a ${flag} flag`, { cause: parsed.error, details: { path } })
  }
  const { data } = parsed
  if (data.folder !== folder) {
    throw new HoldfastError('POINT_DAMAGED', `${path} is the ${flag} flag of another point: ${data.folder}`, { details: { path } })
  }
  if ('until' in data) return { holdUntil: Date.parse(data.until) }
  if ('at' in data) return { verifiedAt: Date.parse(data.at) }
  return flag === 'pin' ? { pin: data.reason } : { quarantine: data.reason }
}

/** What the flag files of one point say, and which of them could not be read. */
export interface FlagsRead {
  readonly flags: Flags
  readonly damaged: readonly { readonly flag: FlagName; readonly error: HoldfastError }[]
}

/**
 * All flags of one point from the bytes of its files. A file that cannot be read counts on the safe side and never frees a point for deletion: a damaged
 * pin or hold pins, a damaged quarantine quarantines, a damaged verification result is none.
 */
export function decodeFlags(folder: string, files: { readonly [flag in FlagName]?: Uint8Array }): FlagsRead {
  const damaged: { flag: FlagName; error: HoldfastError }[] = []
  const found: Flags[] = []
  for (const flag of flagNames) {
    const bytes = files[flag]
    if (bytes === undefined) continue
    try {
      found.push(decodeFlag(bytes, folder, flag))
    } catch (error) {
      if (!HoldfastError.isInstance(error)) throw error
      damaged.push({ flag, error })
      // Put first, so that a pin that can be read keeps its reason.
      found.unshift(insteadOf(flag))
    }
  }
  return { flags: Object.assign({}, ...found), damaged }
}

function insteadOf(flag: FlagName): Flags {
  if (flag === 'verified') return {}
  const reason = `${flagFileNames[flag]} cannot be read`
  return flag === 'quarantine' ? { quarantine: reason } : { pin: reason }
}
