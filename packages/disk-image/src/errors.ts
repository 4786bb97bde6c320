import type { Failure } from './blocks.ts'

/** Codes of a `DiskImageError`; each is a row of the table of error codes of Holdfast. */
export type DiskImageErrorCode =
  | 'CHECKSUM_MISMATCH'
  | 'IMAGE_DAMAGED'
  | 'INTERNAL'
  | 'INVALID_OPTIONS'
  | 'NOT_FOUND'
  | 'READ_FAILED'
  | 'TRUNCATED'
  | 'UNSUPPORTED_FORMAT'

/** Plain data beside the message: offsets, sizes, names of fields. */
export type DiskImageErrorDetails = { readonly [key: string]: string | number | boolean }

const remedies: { readonly [code in DiskImageErrorCode]: string } = {
  CHECKSUM_MISMATCH: 'Use another copy of this image; check the disks of the storage it is on.',
  IMAGE_DAMAGED: 'Use another copy of this image; do not use data from this one.',
  INTERNAL: 'Report it with the log.',
  INVALID_OPTIONS: 'Mend the value shown.',
  NOT_FOUND: 'Check the path.',
  READ_FAILED: 'Check permissions and the disk the file is on, then try again.',
  TRUNCATED: 'Try again; if it happens again, look for files that shrink while they are read.',
  UNSUPPORTED_FORMAT: 'Convert the image first, for instance with qemu-img convert -O qcow2.',
}
const retryable: ReadonlySet<DiskImageErrorCode> = new Set(['READ_FAILED', 'TRUNCATED'])
const marker = Symbol.for('holdfast.disk-image-error')

/** The one error this package throws, besides the reason of an aborted signal. It has the shape of a `HoldfastError`. */
export class DiskImageError extends Error implements Failure {
  readonly code: DiskImageErrorCode
  readonly retryable: boolean
  readonly remedy: string
  readonly details?: DiskImageErrorDetails

  constructor(
    code: DiskImageErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: DiskImageErrorDetails } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'DiskImageError'
    this.code = code
    this.retryable = retryable.has(code)
    this.remedy = remedies[code]
    if (options.details !== undefined) this.details = options.details
    Object.defineProperty(this, marker, { value: true })
  }

  /** True for an error of any copy of this package: two of them may be installed. */
  static isInstance(error: unknown): error is DiskImageError {
    return error instanceof Error && marker in error
  }
}

/** Shorthand for a file whose structure contradicts itself. */
export function damaged(message: string, details?: DiskImageErrorDetails): DiskImageError {
  return new DiskImageError('IMAGE_DAMAGED', message, details === undefined ? {} : { details })
}
