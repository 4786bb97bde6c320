import type { Json, Logger } from '@holdfast/core/spec'

/** One line that was logged. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: { readonly [name: string]: Json }
}

/** A logger that keeps its lines. `text()` is everything as one string, to search for what must not be there. */
export interface RecordingLogger extends Logger {
  /** In the order in which they came, of all levels. */
  readonly lines: readonly LogLine[]
  /** One line of JSON for each logged line, messages and fields. */
  text(): string
}

/**
 * For tests of what is logged, above all that no secret is.
 *
 * @example
 * ```ts
 * const logger = recordingLogger()
 * // ...
 * expect(logger.text()).not.toContain(password)
 * ```
 */
export function recordingLogger(): RecordingLogger {
  const lines: LogLine[] = []
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: LogLine['fields'] = {}): void => {
      lines.push({ level, message, fields })
    }
  return {
    lines,
    text: () => lines.map((line) => JSON.stringify(line)).join('\n'),
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
  }
}
