import { describeDuration } from '../model/duration.ts'
import { type Lineage, lineageOf } from './lineage.ts'
import { newestFirst } from './newest-first.ts'
import { type RetentionDecision, type RetentionPlan, type RetentionPoint, type RetentionRule, retentionRules } from './retention-plan.ts'
import { keepsSomething, type RetentionPolicy } from './retention-policy.ts'
import { retentionWarnings } from './retention-warnings.ts'
import { type Slots, slotsOf } from './slots.ts'
import { timeText } from './time-text.ts'

/** Rules and their reasons. Points of which the same is said share them: with a million points that matters. */
interface Verdict {
  readonly reasons: readonly string[]
  readonly rules: readonly RetentionRule[]
}

/** Each rule as the only one. */
const alone = new Map<RetentionRule, readonly RetentionRule[]>(retentionRules.map((rule) => [rule, Object.freeze([rule])]))
const noPolicy = verdict('no-policy', 'no policy: everything is kept')
const noRule = verdict('no-policy', 'the policy has no rule that keeps points: everything is kept')
const noGoodPoint = verdict('no-good-point', 'no good point: nothing is deleted')
const nothing = verdict('none', 'no rule keeps it')

/** What {@link planRetention} may be told besides. */
export interface RetentionOptions {
  /**
   * Ids of good points of the same workload that another policy decides on, and that `points` may build on. The caller then has to keep those that a kept
   * point builds on. Default: none, so a point that builds on one that is not among `points` is not good.
   */
  readonly elsewhere?: ReadonlySet<string>
}

const nowhere: ReadonlySet<string> = new Set()

/**
 * Decides which restore points stay. Pure; the order of `points` does not matter. They are those of one workload in one repository, one entry each, without
 * condemned ones. `now`: milliseconds since 1970-01-01 UTC. Never throws for what a parsed policy and a catalog can hold.
 *
 * One pass from the newest to the oldest (highest sequence, then the higher id), each rule by itself; a point stays when any rule keeps it:
 *
 * 1. Pins, holds, locks and runs that use it keep a point. So does a date in the future, which also makes it count for nothing else.
 * 2. The newest good point and the newest verified good point stay, whatever the policy says. Good: it and all it builds on is there and not quarantined.
 * 3. `maxAge` beats the rules below: an older point takes no place and stays only because of 1, 2 or 5.
 * 4. Counted rules keep the newest good point of each period that has one, the oldest point while places are left, and `within` what is young enough.
 *    A point that is not good stays as long as a good one would in its place, and takes none.
 * 5. Whatever a kept point builds on stays.
 *
 * Ages count from the newest good point that is not in the future, so that a workload whose backups stopped keeps what it has. Without any good point
 * nothing is deleted; nor without a policy.
 */
export function planRetention<Point extends RetentionPoint>(
  points: readonly Point[],
  policy: RetentionPolicy | undefined,
  now: number,
  { elsewhere = nowhere }: RetentionOptions = {},
): RetentionPlan<Point> {
  const sorted = newestFirst(points)
  const all = (said: Verdict) => sorted.map((point) => decide(point, true, said))
  if (policy === undefined) return { decisions: all(noPolicy), warnings: [] }
  const warnings = (anyGood: boolean) => retentionWarnings(sorted, policy, { now, anyGood })
  if (!keepsSomething(policy)) return { decisions: all(noRule), warnings: warnings(true) }
  const lineage = lineageOf(sorted, elsewhere)
  const newest = sorted.findIndex((point, at) => lineage.isGood(at) && point.createdAt <= now)
  if (newest < 0) return { decisions: all(noGoodPoint), warnings: warnings(sorted.length === 0) }
  const scene = sceneOf(sorted, lineage, policy, { now, newest })
  const decisions = sorted.map((point, at) => judge(scene, point, at))
  keepBases(decisions, lineage)
  return { decisions, warnings: warnings(true) }
}

function decide<Point extends RetentionPoint>(point: Point, keep: boolean, { reasons, rules }: Verdict): RetentionDecision<Point> {
  return { point, keep, reasons, rules }
}

/** What the judgement of a point depends on besides the point. Points are named by their position. */
interface Scene {
  readonly lineage: Lineage
  readonly now: number
  /** The newest good point: ages count from its time. */
  readonly newest: number
  readonly newestTime: number
  /** The newest good point that was verified, or -1. */
  readonly verified: number
  /** The oldest point that may take a place. */
  readonly oldest: number
  readonly maxAge: number
  readonly within: number
  readonly slots: readonly Slots[]
  readonly tooOld: Verdict
  readonly young: string
  /** Of one point after the other. */
  readonly reasons: Reasons
}

function sceneOf(
  sorted: readonly RetentionPoint[],
  lineage: Lineage,
  policy: RetentionPolicy,
  { now, newest }: { readonly now: number; readonly newest: number },
): Scene {
  const newestTime = sorted[newest]?.createdAt ?? now
  const maxAge = policy.maxAge ?? Number.POSITIVE_INFINITY
  const within = policy.within ?? 0
  const counts = ({ createdAt }: RetentionPoint, at: number) => createdAt <= now && newestTime - createdAt <= maxAge && lineage.isGood(at)
  const verified = sorted.findIndex((point, at) => point.verifiedAt !== undefined && point.createdAt <= now && lineage.isGood(at))
  const text = `older than ${describeDuration(maxAge)} (maxAge), counted from the newest good point`
  return {
    lineage,
    now,
    newest,
    newestTime,
    verified,
    oldest: sorted.findLastIndex(counts),
    maxAge,
    within,
    slots: slotsOf(policy),
    tooOld: verdict('max-age', text),
    young: `within ${describeDuration(within)} of the newest good point`,
    reasons: { texts: [], rules: [] },
  }
}

/** A point's reasons while they are collected, with the rule of each. */
interface Reasons {
  readonly texts: string[]
  readonly rules: RetentionRule[]
}

function judge<Point extends RetentionPoint>(scene: Scene, point: Point, at: number): RetentionDecision<Point> {
  const { texts, rules } = scene.reasons
  texts.length = 0
  rules.length = 0
  protect(scene, point, at)
  const isPresent = point.createdAt <= scene.now
  const isTooOld = isPresent && scene.newestTime - point.createdAt > scene.maxAge
  if (isPresent && !isTooOld && scene.lineage.isGood(at)) takePlaces(scene, point, at)
  else if (isPresent && !isTooOld) stayWithoutPlace(scene, point)
  if (rules.length === 0) return decide(point, false, isTooOld ? scene.tooOld : nothing)
  const [rule] = rules
  const only = rules.length === 1 && rule !== undefined ? alone.get(rule) : undefined
  return decide(point, true, { reasons: texts.slice(), rules: only ?? rules.slice() })
}

/** What no rule can overrule. */
function protect({ now, newest, verified, reasons }: Scene, point: RetentionPoint, at: number): void {
  const { pinned, heldUntil, lockedUntil, inUse, createdAt } = point
  if (pinned !== undefined) add(reasons, 'pinned', `pinned: ${pinned}`)
  if (heldUntil !== undefined && heldUntil > now) add(reasons, 'held', `held until ${timeText(heldUntil)}`)
  if (lockedUntil !== undefined && lockedUntil > now) add(reasons, 'locked', `locked until ${timeText(lockedUntil)}`)
  if (inUse === true) add(reasons, 'in-use', 'in use by a run')
  // Also a time that is none.
  if (!(createdAt <= now)) add(reasons, 'future', `dated in the future: ${timeText(createdAt)}`)
  if (at === newest) add(reasons, 'newest-good', 'newest good point')
  if (at === verified) add(reasons, 'newest-verified', 'newest verified good point')
}

function takePlaces(scene: Scene, point: RetentionPoint, at: number): void {
  const { createdAt } = point
  for (const slots of scene.slots) {
    if (slots.taken >= slots.limit) continue
    const isNew = slots.isNew(createdAt)
    if (!isNew && at !== scene.oldest) continue
    slots.taken++
    slots.mark(createdAt)
    add(scene.reasons, slots.rule, `${slots.rule} ${slots.taken} of ${slots.limit}${isNew ? '' : ', as the oldest point'}`)
  }
  if (isYoung(scene, createdAt)) add(scene.reasons, 'within', scene.young)
}

/** A quarantine may be a mistake, and part of a point may be all there is: it goes when a good point in its place would go, and not before. */
function stayWithoutPlace(scene: Scene, { createdAt, quarantined }: RetentionPoint): void {
  const rules: string[] = scene.slots.filter((slots) => slots.taken < slots.limit && slots.isNew(createdAt)).map(({ rule }) => rule)
  if (isYoung(scene, createdAt)) rules.push('within')
  if (rules.length === 0) return
  const why = quarantined === undefined ? 'builds on a point that is quarantined or missing' : `quarantined: ${quarantined}`
  add(scene.reasons, 'not-good', `not good (${why}), stays as a good one would and takes no place: ${rules.join(', ')}`)
}

const isYoung = ({ newestTime, within }: Scene, createdAt: number): boolean => within > 0 && newestTime - createdAt < within

/** Whatever a kept point builds on stays, near and far. The pass down the chain does not rely on the order of damaged rows. */
function keepBases<Point extends RetentionPoint>(decisions: RetentionDecision<Point>[], lineage: Lineage): void {
  const waiting: number[] = []
  for (let at = 0; at < decisions.length; at++) {
    if (decisions[at]?.keep === true) waiting.push(at)
    for (let child = waiting.pop(); child !== undefined; child = waiting.pop()) {
      const { id, parents } = (decisions[child] as RetentionDecision<Point>).point
      for (const parentId of parents) {
        const parent = lineage.find(child, parentId)
        const decision = decisions[parent]
        if (decision === undefined || decision.keep) continue
        decisions[parent] = decide(decision.point, true, verdict('base', `base of ${id}`))
        waiting.push(parent)
      }
    }
  }
}

function add(reasons: Reasons, rule: RetentionRule, text: string): void {
  reasons.rules.push(rule)
  reasons.texts.push(text)
}

function verdict(rule: RetentionRule, text: string): Verdict {
  return { reasons: Object.freeze([text]), rules: alone.get(rule) ?? [rule] }
}
