export { abortError, throwIfAborted, withDeadline } from './abort.ts'
export { bytesOf, collectBytes } from './bytes.ts'
export { formatBytes, formatDuration } from './format.ts'
export { createLentAnswer, type LentAnswer, type LentAnswerOptions } from './lent-answer.ts'
export type { LentBodyOptions } from './lent-body.ts'
export { isErrorCode, mapError } from './map-error.ts'
export { nearest } from './nearest.ts'
export { oneLine } from './one-line.ts'
export {
  invalidOptions,
  type OptionsIssue,
  type OptionsMistake,
  type OptionsSchema,
  parseStrict,
  pathText,
  showValue,
  unknownKeys,
} from './parse-options.ts'
export { type Pull, pullFrom } from './pull.ts'
export { assertSafeName, assertSafePath } from './safe-name.ts'
export {
  createTarScanner,
  type PaxRecords,
  readTarAttributes,
  type TarAttributes,
  type TarContext,
  type TarEntry,
  type TarHeader,
  type TarScanner,
  type TarScannerOptions,
} from './tar/index.ts'
