import { throwIfAborted } from '../spec/helpers/abort.ts'
import { mapError } from '../spec/helpers/map-error.ts'
import { oneLine } from '../spec/helpers/one-line.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from '../spec/helpers/parse-options.ts'
import type { Notification, Notifier } from '../spec/notifier.ts'

/** Settings of {@link consoleNotifier}. */
export interface ConsoleNotifierOptions {
  /** Takes one line without its end, for example `console.log`. */
  readonly write: (line: string) => void
}

/**
 * Writes one line for each notification: time, severity, text. Rejects with NOTIFIER_FAILED when `write` throws, and with ABORTED; the notification is
 * delivered again later, so a line may appear twice. Throws INVALID_OPTIONS for options that it does not know.
 */
export function consoleNotifier(options: ConsoleNotifierOptions): Notifier {
  const mistakes = mistakesIn(options)
  if (mistakes.length > 0) throw invalidOptions('consoleNotifier', mistakes)
  return {
    specVersion: 1,
    kind: 'console',
    async send(notification, { signal }) {
      throwIfAborted(signal)
      try {
        options.write(lineOf(notification))
      } catch (error) {
        throw mapError(error, 'NOTIFIER_FAILED', `The console notifier could not write notification ${notification.id}`)
      }
    },
    async [Symbol.asyncDispose]() {},
  }
}

function mistakesIn(options: ConsoleNotifierOptions): readonly OptionsMistake[] {
  const unknown = unknownKeys(options, ['write'])
  const write: unknown = options?.write
  if (typeof write === 'function' || typeof options !== 'object' || options === null) return unknown
  return [...unknown, { path: 'write', problem: `is ${write === undefined ? 'missing' : showValue(write)}; expected a function` }]
}

/** A text that came from elsewhere must not look like lines of its own. */
function lineOf({ at, severity, text }: Notification): string {
  return `${at} ${severity.padEnd(7)} ${oneLine(text)}`
}
