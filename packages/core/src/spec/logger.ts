import type { Json } from './json.ts'

/** Structured log lines. `fields` is JSON and never holds a secret. A logger must not throw and must not block: it is called on every path. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(message: string, fields?: { readonly [name: string]: Json }): void
  /** What happened, once per step of a run. */
  info(message: string, fields?: { readonly [name: string]: Json }): void
  /** Somebody should look at it some time. */
  warn(message: string, fields?: { readonly [name: string]: Json }): void
  /** Somebody must act. */
  error(message: string, fields?: { readonly [name: string]: Json }): void
}
