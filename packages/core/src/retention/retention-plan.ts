/** What a decision depends on of one restore point. The points of one plan are those of one workload in one repository. */
export interface RetentionPoint {
  readonly id: string
  /** "Newest" is the highest sequence, then the higher id; never the latest clock. */
  readonly sequence: number
  /** Milliseconds since 1970-01-01 UTC. Tells the day a point stands for and its age, nothing else. */
  readonly createdAt: number
  /** Ids of the points it builds on directly. */
  readonly parents: readonly string[]
  /** Why it stays until a person removes the pin. */
  readonly pinned?: string | undefined
  /** Not deleted before, milliseconds UTC. */
  readonly heldUntil?: number | undefined
  /** The repository itself refuses to delete it before, milliseconds UTC. */
  readonly lockedUntil?: number | undefined
  /** Why it does not count as good. */
  readonly quarantined?: string | undefined
  /** When every byte was last found right, milliseconds UTC. */
  readonly verifiedAt?: number | undefined
  /** A run that has not ended reads it or writes it. */
  readonly inUse?: boolean | undefined
}

/** Why a point stays or goes, for programs. Only `max-age` and `none` let it go. */
export const retentionRules = [
  'no-policy',
  'no-good-point',
  'pinned',
  'held',
  'locked',
  'in-use',
  'future',
  'newest-good',
  'newest-verified',
  'last',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'within',
  'not-good',
  'base',
  'max-age',
  'none',
] as const

/** One of {@link retentionRules}. */
export type RetentionRule = (typeof retentionRules)[number]

/** What becomes of one point. */
export interface RetentionDecision<Point extends RetentionPoint = RetentionPoint> {
  readonly point: Point
  /** False: it is to be deleted. */
  readonly keep: boolean
  /** At least one, strongest first, in words: `daily 3 of 7`, `pinned: before the migration`, `base of <id>`, `no rule keeps it`. */
  readonly reasons: readonly string[]
  /** The rule behind each reason, in the same order. */
  readonly rules: readonly RetentionRule[]
}

/** What a warning is about. */
export type RetentionWarningCode = 'FUTURE_POINT' | 'NO_GOOD_POINT' | 'RULE_UNREACHABLE'

/** Something a person should look at. Nothing is deleted because of it. */
export interface RetentionWarning {
  readonly code: RetentionWarningCode
  readonly message: string
}

/** What a policy makes of the points. JSON if the points are. */
export interface RetentionPlan<Point extends RetentionPoint = RetentionPoint> {
  /** One for each point, newest first. */
  readonly decisions: readonly RetentionDecision<Point>[]
  readonly warnings: readonly RetentionWarning[]
}
