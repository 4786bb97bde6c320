import { setTimeout } from 'node:timers/promises'
import type { Clock } from '@holdfast/core/spec'

/** The store's time stands still until a test moves it; waiting for a lock takes real time, because whoever holds it is real. */
export function testClock(): Clock & { advance(milliseconds: number): Promise<void> } {
  let now = 1_795_000_000_000
  return {
    now: () => now,
    monotonic: () => now,
    sleep: (milliseconds, { signal }) => setTimeout(milliseconds, undefined, { signal }),
    advance: async (milliseconds) => {
      now += milliseconds
    },
  }
}
