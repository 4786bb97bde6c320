import type { Clock } from '@holdfast/core/spec'
import { pause } from '../src/pause.ts'

/** The store's time stands still until a test moves it; waiting for a lock takes real time, because whoever holds it is real. */
export function testClock(): Clock & { advance(milliseconds: number): Promise<void> } {
  let now = 1_795_000_000_000
  return {
    now: () => now,
    monotonic: () => now,
    sleep: pause,
    advance: async (milliseconds) => {
      now += milliseconds
    },
  }
}
