import { describe, it } from 'vitest'
import { inProcessScheduler } from '../../../core/src/scheduler/in-process-scheduler.ts'
import { fakeClock } from '../fake-clock.ts'
import { schedulerContract } from './scheduler-contract.ts'

schedulerContract({
  describe,
  it,
  create: async () => {
    const clock = fakeClock()
    const scheduler = inProcessScheduler({ clock })
    return { scheduler, now: clock.now, advance: clock.advance, dispose: async () => scheduler[Symbol.asyncDispose]() }
  },
})
