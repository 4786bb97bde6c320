import type { Notification, Notifier } from '../spec/notifier.ts'

/** Settings of {@link consoleNotifier}. */
export interface ConsoleNotifierOptions {
  /** Takes one line without its end, for example `console.log`. */
  readonly write: (line: string) => void
}

/** Writes one line for each notification: time, severity, text. Never fails unless `write` does; then the notification is delivered again. */
export function consoleNotifier(options: ConsoleNotifierOptions): Notifier {
  return {
    specVersion: 1,
    kind: 'console',
    async send(notification) {
      options.write(lineOf(notification))
    },
    async [Symbol.asyncDispose]() {},
  }
}

function lineOf({ at, severity, text }: Notification): string {
  return `${at} ${severity.padEnd(7)} ${text}`
}
