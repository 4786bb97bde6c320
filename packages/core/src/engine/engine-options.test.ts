import { countingIds, fakeClock, memoryRepository, memoryStore } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import type { EngineOptions } from './engine.ts'
import { parseEngineOptions } from './engine-options.ts'

const clock = fakeClock()
const good: EngineOptions = {
  name: 'node-a',
  store: memoryStore({ clock, ids: countingIds('s') }),
  repositories: { main: memoryRepository() },
  providers: {},
}

test('defaults are filled in', () => {
  const { parts } = parseEngineOptions({ ...good, retry: { maxFailures: 1 } })
  expect(parts).toMatchObject({
    system: 'node-a',
    leaseMs: 30_000,
    graceMs: 86_400_000,
    concurrency: 4,
    retry: { maxFailures: 1, delayMs: 10_000 },
  })
})

const wrong: readonly (readonly [string, object, RegExp, RegExp?])[] = [
  ['a misspelt key', { provider: {} }, /^createEngine: provider is not known here; known: .*providers/, /Did you mean "providers"/],
  ['a missing store', { store: undefined }, /store is missing/],
  ['a lease without an end', { leaseMs: Number.POSITIVE_INFINITY }, /leaseMs is Infinity; expected a whole number of at most/],
  ['half a run at a time', { concurrency: 0.5 }, /concurrency is 0.5; expected a whole number/],
  ['half a failure', { retry: { maxFailures: 1.5 } }, /retry.maxFailures is 1.5; expected a whole number/],
  ['a lease of no time', { leaseMs: 0 }, /leaseMs is 0; expected a number above 0/],
  ['a lease that no renewal can keep', { leaseMs: 99 }, /leaseMs is 99; expected at least 100/],
  ['a retry that is no number', { retry: { delayMs: 'soon' } }, /retry\.delayMs is "soon"/],
  ['a repository name with a slash', { repositories: { 'a/b': memoryRepository() } }, /repositories\.a\/b is not a name/],
  ['an engine name in capitals', { name: 'Node A' }, /^createEngine: name is "Node A": use at most 63 lower-case letters/],
  ['a scratch folder that depends on where the process was started', { scratch: 'tmp' }, /scratch is "tmp"; expected the absolute path/],
  ['a misspelt key of retry', { retry: { maxFailure: 1 } }, /retry\.maxFailure is not known here/, /Did you mean "maxFailures"/],
]

for (const [what, change, message, remedy = /./] of wrong) {
  test(`${what} is refused with its path`, () => {
    const attempt = () => parseEngineOptions({ ...good, ...change } as EngineOptions)
    expect(attempt).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) }),
    )
  })
}

test('several mistakes are told at once', () => {
  expect(() => parseEngineOptions({ ...good, leaseMs: -1, graceMs: Number.NaN } as EngineOptions)).toThrow(/leaseMs.*graceMs/)
})
