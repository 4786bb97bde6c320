import type { CallOptions, Clock } from '@holdfast/core/spec'

/** The process around the command. Whoever calls it from a program gives another one. */
export interface Host extends CallOptions {
  /** What relative paths are relative to. Absolute. */
  readonly folder: string
  /** Takes results: tables and JSON. */
  readonly write: (text: string) => void
  /** Takes what is for people only: notes, warnings, progress, errors. */
  readonly tell: (text: string) => void
  /** Columns of the terminal that `tell` writes to; absent when it is none. */
  readonly columns?: number
  /** Owners of files can be set. */
  readonly superuser: boolean
  readonly clock: Clock
}
