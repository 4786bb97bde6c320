import type { Clock } from './spec/clock.ts'
import { nearest } from './spec/helpers/nearest.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from './spec/helpers/parse-options.ts'
import type { Json } from './spec/json.ts'
import type { Logger } from './spec/logger.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const

/** How important a line is, least first: debug, info, warn, error. */
export type LogLevel = (typeof levels)[number]

/** Where and how a logger writes. */
export interface ConsoleLoggerOptions {
  /** Takes one line that ends in a line feed, for example `(line) => process.stderr.write(line)`. If it throws, the line is lost and nothing else. */
  readonly write: (line: string) => void
  readonly clock: Pick<Clock, 'now'>
  /** `json`: one object per line, `{ time, level, message, ...fields }`. `text`: for people. Default `text`. */
  readonly format?: 'json' | 'text'
  /** Lines below it are dropped. Default `info`. */
  readonly level?: LogLevel
}

/** A logger that writes lines. Fields named `time`, `level` or `message` do not replace the line's own. Throws INVALID_OPTIONS for options that it does not know. */
export function consoleLogger(options: ConsoleLoggerOptions): Logger {
  const mistakes = mistakesIn(options)
  if (mistakes.length > 0) throw invalidOptions('consoleLogger', mistakes)
  const { write, clock, format = 'text', level: lowest = 'info' } = options
  const log = (level: LogLevel, message: string, fields: { readonly [name: string]: Json } = {}): void => {
    if (levels.indexOf(level) < levels.indexOf(lowest)) return
    try {
      const time = new Date(clock.now()).toISOString()
      write(format === 'json' ? jsonLine(time, level, message, fields) : textLine(time, level, message, fields))
    } catch {
      // A logger must not throw: a full disk under the log is no reason to fail a backup.
    }
  }
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
  }
}

function mistakesIn(options: ConsoleLoggerOptions): readonly OptionsMistake[] {
  const unknown = unknownKeys(options, ['write', 'clock', 'format', 'level'])
  if (typeof options !== 'object' || options === null) return unknown
  const { write, clock, format, level } = options as { readonly [Option in keyof ConsoleLoggerOptions]: unknown }
  const now = (clock as { readonly now?: unknown } | null | undefined)?.now
  return [
    ...unknown,
    ...(typeof write === 'function' ? [] : [{ path: 'write', problem: `${isText(write)}; expected a function` }]),
    ...(typeof now === 'function' ? [] : [{ path: 'clock', problem: `${isText(clock)}; expected a clock such as systemClock` }]),
    ...badWord('format', format, ['json', 'text']),
    ...badWord('level', level, levels),
  ]
}

const isText = (value: unknown): string => (value === undefined ? 'is missing' : `is ${showValue(value)}`)

function badWord(path: string, word: unknown, allowed: readonly string[]): readonly OptionsMistake[] {
  if (word === undefined || allowed.includes(word as string)) return []
  const meant = typeof word === 'string' ? nearest(word, allowed) : undefined
  const choice = allowed.map((each) => `"${each}"`).join(', ')
  return [{ path, problem: `is ${showValue(word)}; allowed: ${choice}`, ...(meant !== undefined && { meant }) }]
}

/** Drops everything. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

type Fields = { readonly [name: string]: Json }

const jsonLine = (time: string, level: LogLevel, message: string, fields: Fields): string =>
  `${JSON.stringify({ ...fields, time, level, message })}\n`

function textLine(time: string, level: LogLevel, message: string, fields: Fields): string {
  const shown = Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return `${[time, level.toUpperCase().padEnd(5), oneLine(message), ...shown].join(' ')}\n`
}

/** A message may quote a name from a platform: it must not be able to forge a line or move the cursor. */
const oneLine = (message: string): string =>
  message.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
