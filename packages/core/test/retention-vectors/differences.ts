import type { RetentionPolicyInput } from '../../src/retention/index.ts'
import type { History } from './histories.ts'

/** Every way in which we keep something else than restic on purpose. */
export const differences = {
  'oldest-point': 'While a rule has places left, the oldest point takes one. restic does so since 0.16; older ones do not.',
  'autumn-hours':
    'Hours are those of UTC. restic takes the hour of the local clock, so the two hours of the overlap in autumn are one, and of two points an hour apart one goes.',
  'zone-hours': 'Hours are those of UTC. In a zone that is half an hour off, those of the local clock begin at another minute.',
  future:
    'A point in the future is kept and counts for no rule. restic counts it like any other, so two wrong dates can push out two good points, and deletes it when no rule keeps it.',
} as const

export type DifferenceName = keyof typeof differences

interface Compared {
  readonly history: History
  readonly policy: RetentionPolicyInput
  readonly version: string
  readonly restic: readonly number[]
  readonly ours: readonly number[]
}

/** The names of the differences that apply. Throws when none explains what was found. */
export function explain({ history, policy, version, restic, ours }: Compared): readonly DifferenceName[] {
  const hourly = policy.hourly !== undefined
  const onlyUs = ours.filter((at) => !restic.includes(at))
  const onlyThey = restic.filter((at) => !ours.includes(at))
  const names: DifferenceName[] = []
  if (history.name === 'future') names.push('future')
  if (hourly && history.name === 'autumn') names.push('autumn-hours')
  if (hourly && history.name === 'half-hour') names.push('zone-hours')
  if (isBefore016(version) && onlyUs.includes(0) && (names.length > 0 || (onlyUs.length === 1 && onlyThey.length === 0)))
    names.push('oldest-point')
  if (names.length > 0) return names
  throw new Error(
    `${JSON.stringify(policy)} of ${history.name}: restic ${version} keeps ${restic}, we keep ${ours}, and nothing explains it`,
  )
}

function isBefore016(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major === 0 && minor < 16
}
