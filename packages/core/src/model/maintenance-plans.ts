import { invalidOptions, unknownKeys } from '../spec/helpers/parse-options.ts'
import type { MaintenancePlanInput } from './plan.ts'

/** When {@link maintenancePlans} work. */
interface MaintenanceTimes {
  readonly cleanUpAt?: string
  readonly zone?: string
}

/**
 * The two plans that a system which runs for years wants: a clean-up once a day and a health check every six hours, for all repositories. Spread them
 * into `plans`, or write your own instead. Throws INVALID_OPTIONS for a key that it does not know.
 *
 * @param options - `cleanUpAt`: `HH:MM` in `zone`, default `04:30`; `zone`: IANA name, default `UTC`
 */
export function maintenancePlans(options: MaintenanceTimes = {}): {
  readonly 'clean-up': MaintenancePlanInput
  readonly 'health-check': MaintenancePlanInput
} {
  // Nobody would notice a misspelt zone before a clean-up runs in the middle of the day.
  const mistakes = unknownKeys(options, ['cleanUpAt', 'zone'])
  if (mistakes.length > 0) throw invalidOptions('maintenancePlans', mistakes)
  const { cleanUpAt = '04:30', zone = 'UTC' } = options
  return {
    'clean-up': { kind: 'maintenance', task: 'clean-up', schedule: { type: 'simple', every: 'day', at: cleanUpAt, zone } },
    'health-check': { kind: 'maintenance', task: 'health-check', schedule: { type: 'every', interval: '6h' } },
  }
}
