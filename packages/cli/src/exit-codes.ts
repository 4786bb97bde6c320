import { codeOf } from '@holdfast/core/spec'

/** How the process ends. Monitoring may rely on them. */
export const exitCodes = {
  good: 0,
  /** The command did its work and found damage: a finding, or something that could not be restored because of it. */
  damage: 1,
  /** Wrong usage, or the command could not do its work: no repository there, no room, no permission. */
  cannot: 2,
  /** Ctrl-C, as shells count it. */
  interrupted: 130,
} as const

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const damageCodes: ReadonlySet<string> = new Set([
  'CHECKSUM_MISMATCH',
  'IMAGE_DAMAGED',
  'PATH_OUTSIDE',
  'POINT_DAMAGED',
  'REPOSITORY_DAMAGED',
  'TRUNCATED',
])

/** True for an error that says that stored bytes are bad: everything else may work elsewhere or later. */
export const isDamage = (error: unknown): boolean => damageCodes.has(codeOf(error) ?? '')

/** The exit code of a command that ended with this error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (codeOf(error) === 'ABORTED') return exitCodes.interrupted
  return isDamage(error) ? exitCodes.damage : exitCodes.cannot
}
