import { memoryNotifier, notifierContract } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import type { Notification } from '../spec/notifier.ts'
import { filteredNotifier, type NotificationFilter } from './filtered-notifier.ts'
import { notificationTypes } from './notification-types.ts'

const signal = new AbortController().signal
const about = (type: keyof typeof notificationTypes, plan?: string): Notification => ({
  id: `${type}/${plan}`,
  at: '2026-11-20T02:30:00.000Z',
  severity: notificationTypes[type].severity,
  type,
  text: type,
  data: plan === undefined ? null : { plan },
})
const all = Object.keys(notificationTypes) as readonly (keyof typeof notificationTypes)[]
const passing = (filter: NotificationFilter) => {
  const notifier = filteredNotifier(memoryNotifier(), filter)
  return all.filter((type) => notifier.wants?.(about(type)))
}

describe('a filtered notifier', () => {
  notifierContract({
    describe,
    it,
    async create() {
      const inner = memoryNotifier()
      const notifier = filteredNotifier(inner, { atLeast: 'info', types: ['*'] })
      return { notifier, received: async () => inner.received.map((each) => JSON.stringify(each)), refuse: () => inner.refuse() }
    },
  })

  it('lets a severity and those above it pass, and the all-clear of an alarm with the alarm', () => {
    expect(passing({ atLeast: 'info' })).toEqual(all)
    expect(passing({ atLeast: 'error' })).toEqual([
      'node-back',
      'node-error',
      'node-recovered',
      'node-stale',
      'point-quarantined',
      'probe-failed',
      'run-failed',
      'run-recovered',
      'undo-failed',
    ])
    expect(passing({ atLeast: 'warning' })).toEqual(all.filter((type) => !['run-succeeded', 'run-cancelled'].includes(type)))
  })

  it('goes by the severity of the notification, not by the usual one of its type', () => {
    const notifier = filteredNotifier(memoryNotifier(), { atLeast: 'warning' })
    expect(notifier.wants?.({ ...about('run-succeeded'), severity: 'warning' })).toBe(true)
  })

  it('lets types pass by name and by pattern', () => {
    expect(passing({ types: ['run-failed', 'node-*'] })).toEqual(['node-back', 'node-error', 'node-recovered', 'node-stale', 'run-failed'])
    expect(passing({ types: ['*-failed'] })).toEqual(['probe-failed', 'run-failed', 'undo-failed'])
  })

  it('lets only what belongs to its plans pass', () => {
    const notifier = filteredNotifier(memoryNotifier(), { plans: ['nightly'] })
    expect(notifier.wants?.(about('run-failed', 'nightly'))).toBe(true)
    expect(notifier.wants?.(about('run-failed', 'weekly'))).toBe(false)
    expect(notifier.wants?.(about('node-stale'))).toBe(false)
  })

  it('does not hand on what it does not want, and a filter inside counts too', async () => {
    const inner = memoryNotifier()
    const notifier = filteredNotifier(filteredNotifier(inner, { types: ['run-*'] }), { atLeast: 'error' })
    for (const type of all) {
      await notifier.send(about(type), { signal })
      expect(notifier.wants?.(about(type))).toBe(['run-failed', 'run-recovered'].includes(type))
    }
    expect(inner.received.map(({ type }) => type)).toEqual(['run-failed', 'run-recovered'])
  })

  it.each([
    [{ atleast: 'error' }, 'atleast is not known here', 'Did you mean "atLeast"?'],
    [{ atLeast: 'warn' }, 'atLeast is "warn"; allowed: "info", "warning", "error"', ''],
    [{ types: ['run-faild'] }, 'types[0] is "run-faild", which no notification is', 'Did you mean "run-failed"?'],
    [{ types: ['backup-*'] }, 'types[0] is "backup-*", which no notification is', ''],
    [{ types: [] }, 'types is empty, so nothing would pass', 'Leave types out'],
    [{ types: 'run-failed' }, 'types is "run-failed"; expected a list', ''],
    [{ plans: [''] }, 'plans[0] is ""; expected a name', ''],
  ])('refuses the filter %j, which would let nothing pass', (filter, problem, remedy) => {
    expect(() => filteredNotifier(memoryNotifier(), filter as never)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(problem),
        remedy: expect.stringContaining(remedy),
      }),
    )
  })
})
