// #region plans
import { maintenancePlans, type PlanInput } from '@holdfast/core'

const zone = 'Europe/Berlin'

export const plans: { readonly [name: string]: PlanInput } = {
  nightly: {
    kind: 'backup',
    repository: 'main',
    workloads: [{ provider: 'docker', id: 'shop-db' }],
    schedule: { type: 'simple', every: 'day', at: '02:30', zone },
    retention: { last: 3, daily: 7, weekly: 4, zone },
  },
  // Every byte of one point of each workload, another one each time.
  'read-again': {
    kind: 'verification',
    repository: 'main',
    mode: 'sample',
    schedule: { type: 'simple', every: 'week', on: 'sunday', at: '05:00', zone },
  },
  // A clean-up each night at 04:30, a health check of all repositories every six hours.
  ...maintenancePlans({ zone }),
}
// #endregion plans
