import type { Scheduler } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { inProcessScheduler } from '../../../core/src/scheduler/in-process-scheduler.ts'
import { collectingRunner } from '../collecting-runner.ts'
import { fakeClock } from '../fake-clock.ts'
import { schedulerContract } from './scheduler-contract.ts'

type Breakage = (good: Scheduler) => Partial<Scheduler>

const broken: Record<string, { readonly breakage: Breakage; readonly caughtBy: string }> = {
  'never polls': {
    breakage: (good) => ({ start: (wake, options) => good.start(wake, { ...options, pollMs: 1e9 }) }),
    caughtBy: 'wakes once per poll interval without being told',
  },
  'ignores notify without a time': {
    breakage: (good) => ({ notify: async (at, options) => (at === undefined ? undefined : good.notify(at, options)) }),
    caughtBy: 'wakes soon after notify without a time',
  },
  'wakes at once instead of at the time': {
    breakage: (good) => ({ notify: (_, options) => good.notify(undefined, options) }),
    caughtBy: 'wakes at a notified time',
  },
  'remembers only the first time': {
    breakage: (good) => {
      let told = false
      return {
        notify: async (at, options) => {
          if (told) return
          told = true
          await good.notify(at, options)
        },
      }
    },
    caughtBy: 'wakes at each of several notified times, given in any order',
  },
  'dies of a wake that throws': {
    breakage: (good) => ({
      start: (wake, options) => {
        let dead = false
        const once = (): void => {
          if (dead) return
          dead = true
          wake()
          dead = false
        }
        return good.start(once, options)
      },
    }),
    caughtBy: 'goes on after a wake that throws',
  },
  'does not stop': {
    breakage: (good) => ({ stop: async () => undefined, [Symbol.asyncDispose]: async () => void good }),
    caughtBy: 'is silent after stop, also about notified times',
  },
  'does not look at the signal of start': {
    breakage: (good) => ({ start: (wake, options) => good.start(wake, { ...options, signal: new AbortController().signal }) }),
    caughtBy: 'is silent after the signal of start aborts',
  },
  'can be started once only': {
    breakage: (good) => {
      let count = 0
      return { start: async (wake, options) => (count++ === 0 ? good.start(wake, options) : undefined) }
    },
    caughtBy: 'may be started again after stop',
  },
}

describe('the scheduler contract', () => {
  for (const [name, { breakage, caughtBy }] of Object.entries(broken)) {
    it(`catches a scheduler that ${name}`, async () => {
      const { runner, results } = collectingRunner()
      schedulerContract({
        ...runner,
        create: async () => {
          const clock = fakeClock()
          const good = inProcessScheduler({ clock })
          const advance = async (milliseconds: number): Promise<void> => clock.advance(milliseconds)
          return { scheduler: { ...good, ...breakage(good) }, now: clock.now, advance, dispose: () => good.stop() }
        },
      })
      const failed = (await results()).filter(({ error }) => error !== undefined).map((result) => result.name)
      expect(failed.some((failure) => failure.endsWith(caughtBy))).toBe(true)
    })
  }
})
