import { codeOf, HoldfastError } from '../spec/errors.ts'

/** What reading a damaged file may end in, whoever finds it. */
const damageCodes = new Set([
  'CHECKSUM_MISMATCH',
  'POINT_DAMAGED',
  'TRUNCATED',
  'NOT_FOUND',
  'UNSUPPORTED_FORMAT',
  'IMAGE_DAMAGED',
  'INVALID_OPTIONS',
  'PATH_OUTSIDE',
  'PROVIDER_FAILED',
])

/** True for errors that say that a file is damaged, false for those that say that it could not be read now (aborted, not mounted, stalled). */
export function isDamage(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  return damageCodes.has(code) || isCodecError(code)
}

/** node:zlib: `Z_DATA_ERROR`, `Z_BUF_ERROR`, `ZSTD_error_checksum_wrong`. */
const isCodecError = (code: string): boolean => /^Z(STD)?_/.test(code)

/** The error as it leaves a restore: damage names the file; CHECKSUM_MISMATCH stays what it is; anything else passes as it is. */
export function asDamage(error: unknown, file: string): unknown {
  if (!isDamage(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  if (HoldfastError.isInstance(error) && (error.code === 'CHECKSUM_MISMATCH' || error.code === 'POINT_DAMAGED') && message.includes(file))
    return error
  const code = codeOf(error) === 'CHECKSUM_MISMATCH' ? 'CHECKSUM_MISMATCH' : 'POINT_DAMAGED'
  return new HoldfastError(code, `${file}: ${codeOf(error) === 'NOT_FOUND' ? 'the file is missing' : message}`, { cause: error })
}

export async function namingFile<T>(file: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw asDamage(error, file)
  }
}

export async function* namingFileIn<T>(file: string, values: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  try {
    yield* values
  } catch (error) {
    throw asDamage(error, file)
  }
}
