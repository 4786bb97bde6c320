import type { MaintenancePlanInput } from './plan.ts'

/**
 * The two plans that a system which runs for years wants: a clean-up once a day and a health check every six hours, for all repositories. Spread them
 * into `plans`, or write your own instead.
 *
 * @param options - `cleanUpAt`: `HH:MM` in `zone`, default `04:30`; `zone`: IANA name, default `UTC`
 */
export function maintenancePlans({ cleanUpAt = '04:30', zone = 'UTC' }: { readonly cleanUpAt?: string; readonly zone?: string } = {}): {
  readonly 'clean-up': MaintenancePlanInput
  readonly 'health-check': MaintenancePlanInput
} {
  return {
    'clean-up': { kind: 'maintenance', task: 'clean-up', schedule: { type: 'simple', every: 'day', at: cleanUpAt, zone } },
    'health-check': { kind: 'maintenance', task: 'health-check', schedule: { type: 'every', interval: '6h' } },
  }
}
