import type { Json } from './json.ts'

/** One finding of a health check, in words a person reads. */
export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'error'
  readonly message: string
  readonly details?: Json
}
