import type { CallOptions, Clock } from '@holdfast/core/spec'

/** Where bytes go one after the other. */
export interface ByteOutput {
  /** Somebody would see the bytes as letters. */
  readonly terminal: boolean
  /** Resolves when the bytes have left and may be overwritten; rejects with the error of the system, or when the signal aborts. */
  write(bytes: Uint8Array, options: CallOptions): Promise<void>
}

/** The process around the command. Whoever calls it from a program gives another one. */
export interface Host extends CallOptions {
  /** What relative paths are relative to. Absolute. */
  readonly folder: string
  /** Takes results: tables and JSON. */
  readonly write: (text: string) => void
  /** Takes what is for people only: notes, warnings, progress, errors. */
  readonly tell: (text: string) => void
  /** Takes bytes, for `--to -`. Absent: there is no such place, and that is refused. */
  readonly output?: ByteOutput
  /** Columns of the terminal that `tell` writes to; absent when it is none. */
  readonly columns?: number
  /** Owners of files can be set. */
  readonly superuser: boolean
  readonly clock: Clock
}
