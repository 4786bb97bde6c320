import { type ErrorCode, errorCodes } from './error-codes.ts'
import type { Json } from './json.ts'

const marker = Symbol.for('holdfast.error')

/** What an error carries besides its message. Nothing in it may hold a secret. */
export interface HoldfastErrorOptions {
  readonly cause?: unknown
  /** Default: as the table says for the code. */
  readonly retryable?: boolean
  /** Default: as the table says for the code. */
  readonly remedy?: string
  readonly details?: Json
}

/** The one error that leaves a Holdfast package. The message says what happened and where; `remedy` says how to mend it. */
export class HoldfastError extends Error {
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly remedy: string
  readonly details?: Json

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
