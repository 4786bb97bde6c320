import { expect, test } from 'vitest'
import { attemptName, isAttemptName } from './attempt-name.ts'

const mark = { system: 'office', plan: '', run: '0123456789abcdef', attempt: 1 }

test.each([0, 1])('the name of an attempt has at most 80 units of UTF-16, and no half character (%i before it)', (before) => {
  const name = attemptName(`${'a'.repeat(before)}${'😀'.repeat(40)}`, mark)
  expect(name.length).toBeGreaterThan(78)
  expect(name.length).toBeLessThanOrEqual(80)
  expect(name.isWellFormed()).toBe(true)
})

test('the name of an attempt is known by its system, also in the path of a file', () => {
  const name = attemptName('web', { ...mark, run: 'a run with a long name and spaces' })
  expect([name, `/vmfs/volumes/1/${name}/${name}.vmx`].map((one) => isAttemptName(one, 'office'))).toEqual([true, true])
  expect([isAttemptName(name, 'another'), isAttemptName('web', 'office'), isAttemptName('my holdfast-machine.1', 'office')]).toEqual([
    false,
    false,
    false,
  ])
})
