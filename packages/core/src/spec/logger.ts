import type { Json } from './json.ts'

/** Structured log lines. `fields` is JSON and never holds a secret. A logger must not throw. */
export interface Logger {
  debug(message: string, fields?: { readonly [name: string]: Json }): void
  info(message: string, fields?: { readonly [name: string]: Json }): void
  warn(message: string, fields?: { readonly [name: string]: Json }): void
  error(message: string, fields?: { readonly [name: string]: Json }): void
}
