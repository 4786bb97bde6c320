import { type ErrorCode, errorCodes } from './error-codes.ts'
import type { Json } from './json.ts'

const marker = Symbol.for('holdfast.error')

/** What an error carries besides its message. Nothing in it may hold a secret. */
export interface HoldfastErrorOptions {
  /** What was thrown further down. Its text is not part of the message. */
  readonly cause?: unknown
  /** Default: as the table says for the code. */
  readonly retryable?: boolean
  /** Default: as the table says for the code. */
  readonly remedy?: string
  /** What the message says, for programs: paths, sizes, names. */
  readonly details?: Json
}

/** The one error that leaves a Holdfast package. The message says what happened and where; `remedy` says how to mend it. */
export class HoldfastError extends Error {
  /** Stable across versions; a row of {@link errorCodes}. */
  readonly code: ErrorCode
  /** The same call may succeed later without anybody changing a value. */
  readonly retryable: boolean
  /** How a person mends it. */
  readonly remedy: string
  /** What the message says, for programs. JSON, without secrets. */
  readonly details?: Json

  /** `message` names what happened, where, and the offending value; never a secret. */
  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HoldfastError'
    this.code = code
    this.retryable = options.retryable ?? errorCodes[code].retryable
    this.remedy = options.remedy ?? errorCodes[code].remedy
    if (options.details !== undefined) this.details = options.details
    Object.defineProperty(this, marker, { value: true })
  }

  /** True for an error of any copy of this package: applications and plug-ins may have installed it twice. */
  static isInstance(error: unknown): error is HoldfastError {
    return error instanceof Error && marker in error
  }
}

/** The code of any error that has one. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
