import { countingIds, fakeClock, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { consoleNotifier } from '../notifier/console-notifier.ts'
import type { EngineOptions } from './engine.ts'
import { parseEngineOptions } from './engine-options.ts'

const clock = fakeClock()
const store = memoryStore({ clock, ids: countingIds('s') })
const repository = memoryRepository()
const makeProvider = () => scriptedProvider(memoryPlatform({ random: seededRandom(1) }), { shape: 'tarVolume', name: 'disks' })
const good: EngineOptions = { name: 'node-a', store, repositories: { main: repository }, providers: {} }

test('whole plug-ins are taken, also those that are instances of a class, and the console as a logger', () => {
  class Spy {
    readonly specVersion = 1
    readonly kind = 'spy'
    async send(): Promise<void> {}
    async [Symbol.asyncDispose](): Promise<void> {}
  }
  const notifiers = { log: consoleNotifier({ write: () => {} }), spy: new Spy() }
  expect(() => parseEngineOptions({ ...good, providers: { disks: makeProvider() }, notifiers, logger: console, clock })).not.toThrow()
})

const wrong: readonly (readonly [string, object, string, RegExp?])[] = [
  [
    'a path as a repository',
    { repositories: { main: '/srv' } },
    'repositories.main is "/srv"; expected a repository',
    /localRepository\({ folder: "\/srv" }\)/,
  ],
  [
    'a provider whose call was forgotten',
    { providers: { disks: makeProvider } },
    'providers.disks is a function; expected a provider',
    /call it/,
  ],
  ['console.log as a notifier', { notifiers: { log: console.log } }, 'notifiers.log is a function; expected a notifier', /consoleNotifier/],
  [
    'a promise of a provider',
    { providers: { disks: Promise.resolve(makeProvider()) } },
    'providers.disks is a promise; expected a provider',
    /await/,
  ],
  [
    'an address as a notifier',
    { notifiers: { chat: 'https://hooks.slack.com/services/hunter2' } },
    'notifiers.chat is a text (not shown: it may be secret); expected a notifier',
  ],
  ['nothing as a repository', { repositories: { main: undefined } }, 'repositories.main is undefined; expected a repository'],
  [
    'one repository without a name',
    { repositories: repository },
    'repositories is one repository; expected repositories by their names',
    /repositories: { main: \.\.\. }/,
  ],
  ['a list of providers', { providers: [makeProvider()] }, 'providers is a list of 1; expected providers by their names'],
  ['a store that is a repository', { store: repository }, 'store has no plans, runs, points'],
  ['a path as a store', { store: 'catalog.db' }, 'store is "catalog.db"; expected a store', /sqlite\({ file: "catalog.db" }\)/],
  [
    'a plug-in of another version',
    { notifiers: { log: { ...consoleNotifier({ write: () => {} }), specVersion: 2 } } },
    'notifiers.log has specVersion 2; expected 1',
    /version/,
  ],
  ['a plug-in that lacks a method', { providers: { disks: { ...makeProvider(), undo: undefined } } }, 'providers.disks has no undo'],
  ['a scheduler that is a number', { scheduler: 60_000 }, 'scheduler is 60000; expected a scheduler'],
  ['console.log as a logger', { logger: console.log }, 'logger has no debug, info, warn, error', /consoleLogger/],
  ['Date as a clock', { clock: Date }, 'clock has no monotonic, sleep'],
]

for (const [what, change, problem, remedy = /./] of wrong) {
  test(`${what} is refused with its path and what to do`, () => {
    expect(() => parseEngineOptions({ ...good, ...change } as EngineOptions)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(`createEngine: ${problem}`),
        remedy: expect.stringMatching(remedy),
      }),
    )
  })
}

test('createEngine without options is refused in words', () => {
  expect(() => parseEngineOptions(undefined as unknown as EngineOptions)).toThrow(/^createEngine: the value is undefined; expected object/)
})
