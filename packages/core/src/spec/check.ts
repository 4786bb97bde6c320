import type { Json } from './json.ts'

/** One finding of a health check, in words a person reads. JSON. */
export interface Check {
  /** What was looked at, the same at every check: `connection`, `free-space`. */
  readonly name: string
  /** `error`: work that needs it will fail now. `warning`: it soon may. */
  readonly status: 'ok' | 'warning' | 'error'
  /** What was found, with numbers and units; never a secret. */
  readonly message: string
  /** The same for programs. */
  readonly details?: Json
}
