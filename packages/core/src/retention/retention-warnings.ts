import { describeDuration } from '../model/duration.ts'
import type { RetentionPoint, RetentionWarning } from './retention-plan.ts'
import { countedRules, type RetentionPolicy } from './retention-policy.ts'

/** What a person should look at, whatever is decided. */
export function retentionWarnings(
  sorted: readonly RetentionPoint[],
  policy: RetentionPolicy,
  { now, anyGood }: { readonly now: number; readonly anyGood: boolean },
): readonly RetentionWarning[] {
  const warnings: RetentionWarning[] = unreachable(policy).map((message) => ({ code: 'RULE_UNREACHABLE', message }))
  if (!anyGood) {
    warnings.push({
      code: 'NO_GOOD_POINT',
      message: `None of the ${sorted.length} points is good (quarantined, in the future, or built on one that is missing): nothing is deleted.`,
    })
  }
  const future = sorted.filter(({ createdAt }) => !(createdAt <= now))
  const [first] = future
  if (first !== undefined) {
    const count = future.length === 1 ? `Point ${first.id} is` : `${future.length} points (the newest is ${first.id}) are`
    warnings.push({ code: 'FUTURE_POINT', message: `${count} dated in the future: kept, and counted by no rule. Look at the clocks.` })
  }
  return warnings
}

const dayMs = 86_400_000
/** The shortest each period can be. */
const shortest: { readonly [rule in (typeof countedRules)[number]]: number } = {
  last: 0,
  hourly: dayMs / 24,
  daily: dayMs,
  weekly: 7 * dayMs,
  monthly: 28 * dayMs,
  yearly: 365 * dayMs,
}

/** Rules whose last place regular backups reach only with a point that `maxAge` deletes. */
function unreachable(policy: RetentionPolicy): readonly string[] {
  const { maxAge, within = 0 } = policy
  if (maxAge === undefined) return []
  const spans = countedRules.map((rule) => ({ name: `${rule} ${policy[rule]}`, span: ((policy[rule] ?? 0) - 1) * shortest[rule] }))
  return [...spans, { name: `within ${describeDuration(within)}`, span: within }]
    .filter(({ span }) => span > maxAge)
    .map(({ name, span }) => `"${name}" reaches back ${describeDuration(span)}, but maxAge deletes after ${describeDuration(maxAge)}.`)
}
