import { expect, test } from 'vitest'
import { type ConsoleLoggerOptions, consoleLogger } from './logger.ts'
import { maintenancePlans } from './model/maintenance-plans.ts'
import { consoleNotifier } from './notifier/console-notifier.ts'

const write = () => {}
const clock = { now: () => 0 }
const logger = (options: object) => () => consoleLogger({ write, clock, ...options } as ConsoleLoggerOptions)
const notifier = (options: unknown) => () => consoleNotifier(options as { readonly write: () => void })

const wrong: readonly (readonly [string, () => unknown, RegExp, RegExp?])[] = [
  [
    'a misspelt zone',
    () => maintenancePlans({ zoen: 'Europe/Berlin' } as object),
    /^maintenancePlans: zoen is not known here/,
    /Did you mean "zone"/,
  ],
  [
    'maintenance of a word',
    () => maintenancePlans('04:30' as unknown as object),
    /^maintenancePlans: the value is "04:30"; expected object/,
  ],
  ['a misspelt write', notifier({ wirte: write }), /^consoleNotifier: wirte is not known here.*; write is missing/, /Did you mean "write"/],
  ['a notifier without options', notifier(undefined), /^consoleNotifier: the value is undefined; expected object/],
  ['a misspelt format', logger({ formt: 'json' }), /^consoleLogger: formt is not known here/, /Did you mean "format"/],
  ['a format that is none', logger({ format: 'jsn' }), /format is "jsn"; allowed: "json", "text"/, /Did you mean "json"/],
  ['a level that is none', logger({ level: 'warning' }), /level is "warning"; allowed: "debug", "info", "warn", "error"/],
  ['a logger without a clock', logger({ clock: undefined }), /clock is missing/],
]

for (const [what, make, message, remedy = /./] of wrong) {
  test(`${what} is refused`, () => {
    const refusal = { code: 'INVALID_OPTIONS', message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) }
    expect(make).toThrow(expect.objectContaining(refusal))
  })
}

test('what is written as documented is taken', () => {
  expect(maintenancePlans({ cleanUpAt: '03:00' })['clean-up'].schedule).toMatchObject({ at: '03:00', zone: 'UTC' })
  expect(() => consoleNotifier({ write })).not.toThrow()
  expect(logger({ format: 'json', level: 'error' })).not.toThrow()
})
