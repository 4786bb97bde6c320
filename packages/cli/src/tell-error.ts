import { codeOf, errorCodes, HoldfastError } from '@holdfast/core/spec'
import { printable } from './printable.ts'

/** An error as `--json` prints it. */
export interface ErrorJson {
  readonly code: string
  readonly message: string
  readonly remedy: string
}

const damaged =
  'Restore another point (holdfast points), or this one from a second repository. A file put back by hand fits only from a byte-for-byte copy of this folder.'

/** The table of codes speaks to somebody with an engine; these are for somebody with a folder. */
const remedies: { readonly [code: string]: string } = {
  ABORTED: 'Run it again if it is still wanted.',
  CHECKSUM_MISMATCH: damaged,
  POINT_DAMAGED: damaged,
  TRUNCATED: damaged,
  REPOSITORY_FAILED: 'Check the disk or share that holds the repository, then try again.',
  REPOSITORY_MISSING: 'Check the path. If it is right: mount the disk or share that holds the repository, then try again.',
  STALLED: 'Check the disk or share that holds the repository, then try again.',
  UNSUPPORTED_FORMAT: 'Use a newer version of Holdfast: this one cannot read what a newer one wrote.',
}

/** What a person or a program is told of an error. Never a stack. */
export function errorJson(error: unknown): ErrorJson {
  const code = codeOf(error) ?? 'INTERNAL'
  const message = error instanceof Error ? error.message : String(error)
  if (!HoldfastError.isInstance(error)) return { code, message, remedy: remedies[code] ?? 'Report it with the command and this message.' }
  const general = error.remedy === errorCodes[error.code].remedy
  return { code, message, remedy: (general ? remedies[code] : undefined) ?? error.remedy }
}

/** Two lines: what happened and where, then what to do. */
export function errorText(error: unknown): string {
  const { code, message, remedy } = errorJson(error)
  return `holdfast: ${printable(message)} (${code})\n  ${printable(remedy)}\n`
}
