import { type ErrorCode, errorCodes } from '../error-codes.ts'
import { HoldfastError, type HoldfastErrorOptions } from '../errors.ts'
import type { Json } from '../json.ts'

/**
 * Makes a HoldfastError of whatever was thrown, for the edge of a package. An error that has one of our codes keeps its code and message (a
 * {@link HoldfastError} is returned as it is; errors of `@holdfast/disk-image` have their own class); anything else becomes `code` with `message` and the
 * thrown thing as its cause. Message and options must hold no secret; a foreign error's own text goes only into `cause`.
 */
export function mapError(
  error: unknown,
  code: ErrorCode,
  message: string,
  options: Omit<HoldfastErrorOptions, 'cause'> = {},
): HoldfastError {
  if (HoldfastError.isInstance(error)) return error
  if (error instanceof Error && 'code' in error && isErrorCode(error.code)) {
    const retryable = 'retryable' in error && typeof error.retryable === 'boolean' ? { retryable: error.retryable } : {}
    const details = 'details' in error && error.details !== undefined ? { details: error.details as Json } : {}
    return new HoldfastError(error.code, error.message, { cause: error, ...retryable, ...details })
  }
  return new HoldfastError(code, message, { ...options, cause: error })
}

/** Whether `code` is a row of {@link errorCodes}. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code)
}
