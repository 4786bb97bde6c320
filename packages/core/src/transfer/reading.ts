import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import type { Repository } from '../spec/repository.ts'
import type { Flow } from './chunks.ts'
import type { ProgressMeter } from './progress-meter.ts'
import { createScope, type Scope } from './scope.ts'
import { createThrottle } from './throttle.ts'

/** What everything that reads a point needs. */
export interface ReadingContext extends CallOptions {
  readonly repository: Repository
  readonly meter: ProgressMeter
  readonly clock: Clock
  /** Milliseconds without a byte from the repository after which a read fails with STALLED. */
  readonly stallMs: number
  /** Over everything that is read together. Absent: as fast as it goes. */
  readonly bytesPerSecond?: number
}

export interface Reading {
  readonly repository: Repository
  readonly meter: ProgressMeter
  readonly flow: Flow
  /** Ends with the signal of the call and with that of the run. */
  scope(what: string, options: CallOptions): Scope
}

export function createReading({ repository, meter, clock, stallMs, bytesPerSecond, signal }: ReadingContext): Reading {
  const throttle = createThrottle({ clock, bytesPerSecond })
  return {
    repository,
    meter,
    flow: {
      pass(bytes, options) {
        meter.add(bytes)
        return throttle.pass(bytes, options)
      },
    },
    scope(what, options) {
      const both = options.signal === signal ? signal : AbortSignal.any([signal, options.signal])
      return createScope({ signal: both, clock, what, stallMs })
    },
  }
}
