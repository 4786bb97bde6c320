import { HoldfastError } from '@holdfast/core/spec'

const resultCodes = { busy: 5, locked: 6, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const
const resultNames: Readonly<Record<string, number>> = {
  SQLITE_BUSY: resultCodes.busy,
  SQLITE_LOCKED: resultCodes.locked,
  SQLITE_READONLY: resultCodes.readOnly,
  SQLITE_IOERR: resultCodes.ioError,
  SQLITE_CORRUPT: resultCodes.corrupt,
  SQLITE_FULL: resultCodes.full,
  SQLITE_CANTOPEN: resultCodes.cannotOpen,
  SQLITE_NOTADB: resultCodes.notADatabase,
}

/** The primary result code of an error of SQLite (https://www.sqlite.org/rescode.html), of any other error nothing. */
export function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error)) return undefined
  // The low byte of an extended code is the primary one.
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff
  if (!('code' in error) || typeof error.code !== 'string') return undefined
  const [, name] = /^(SQLITE_[A-Z]+)/.exec(error.code) ?? []
  return name === undefined ? undefined : (resultNames[name] ?? 1)
}

/** Whether somebody else holds the file and the transaction may simply be tried again. */
export function isBusy(error: unknown): boolean {
  const code = resultCodeOf(error)
  return code === resultCodes.busy || code === resultCodes.locked
}

export const isFull = (error: unknown): boolean => resultCodeOf(error) === resultCodes.full

const explanations: ReadonlyMap<number, { readonly problem: string; readonly remedy: string }> = new Map([
  [resultCodes.readOnly, { problem: 'cannot be written', remedy: 'Check owner and mode of the file and of its folder.' }],
  [resultCodes.ioError, { problem: 'cannot be read or written', remedy: 'Check the disk that holds it.' }],
  [resultCodes.corrupt, { problem: 'is damaged', remedy: 'Put a copy back, or move it away and rescan the repositories.' }],
  [resultCodes.full, { problem: 'cannot be written: the disk is full', remedy: 'Free space on the disk that holds it.' }],
  [resultCodes.cannotOpen, { problem: 'cannot be opened', remedy: 'Check owner and mode of the file and of its folder.' }],
  [resultCodes.notADatabase, { problem: 'is not a SQLite database', remedy: 'Check the path. To start anew, move the file away.' }],
])

/** A HoldfastError for what SQLite says; every other error as it is. */
export function translate(error: unknown, file: string): unknown {
  const code = resultCodeOf(error)
  if (code === undefined || !(error instanceof Error)) return error
  const known = explanations.get(code)
  const message = `catalog ${file} ${known?.problem ?? 'failed'}: ${error.message}`
  return new HoldfastError('STORE_FAILED', message, {
    cause: error,
    retryable: isFull(error),
    ...(known !== undefined && { remedy: known.remedy }),
  })
}
