import { describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import { parsePlan } from './plan.ts'
import { parseRunInput } from './run-input.ts'

const plan = { kind: 'snapshot', workloads: [{ provider: 'esx', id: 'vm-1' }], retention: { last: 3 } }

describe('a snapshot plan', () => {
  it('needs no repository, fills in its defaults, and parses to itself', () => {
    const parsed = parsePlan('hourly', plan)
    expect(parsed).toEqual({ ...plan, retention: { last: 3, zone: 'UTC' }, memory: false, quiesce: false, priority: 0 })
    expect(parsePlan('hourly', parsed)).toEqual(parsed)
  })
  it.each([
    [{ retention: undefined }, /retention/],
    [{ retention: {} }, /retention.*at least one of last/],
    [{ retention: { last: 3, chains: 'merge' } }, /retention\.chains.*removes each snapshot by itself/],
    [{ name: '' }, /name is "".*expected a name/],
    [{ name: 'a\nb' }, /name.*no control characters/],
    [{ name: 'x'.repeat(81) }, /at most 80 characters/],
    [{ memory: 'yes' }, /memory is "yes"/],
    [{ workloads: [] }, /at least one workload/],
    [{ repository: 'main' }, /repository is not known here/],
  ])('refuses %j', (wrong, message) => {
    const given = JSON.parse(JSON.stringify({ ...plan, ...wrong }))
    try {
      parsePlan('hourly', given)
      expect.fail('it was taken')
    } catch (error) {
      expect(codeOf(error)).toBe('INVALID_OPTIONS')
      expect((error as Error).message).toMatch(message)
    }
  })
})

it('a snapshot run fills in its defaults, and parses to itself', () => {
  const workload = { provider: 'esx', id: 'vm-1' }
  const parsed = parseRunInput({ operation: 'snapshot', workload })
  expect(parsed).toEqual({ operation: 'snapshot', workload, memory: false, quiesce: false })
  expect(parseRunInput(parsed)).toEqual(parsed)
})
