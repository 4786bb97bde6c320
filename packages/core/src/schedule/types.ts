import type { DurationInput } from '../model/duration.ts'

/** A day of the week. */
export type Weekday = 'monday' | 'tuesday' | 'wednesday' | 'thursday' | 'friday' | 'saturday' | 'sunday'

/** One time of day or several, `HH:MM` from `00:00` to `23:59`. */
export type TimesInput = string | readonly string[]

/** Weekdays are Monday to Friday, weekends Saturday and Sunday. */
export type SimpleDays = 'day' | 'weekday' | 'weekend'

/** The n-th of a weekday in its month, or the last one. */
export interface NthWeekday {
  readonly nth: 1 | 2 | 3 | 4 | 5 | 'last'
  readonly weekday: Weekday
}

/** When a schedule is due, as an application writes it. */
export type RuleInput =
  /** Whenever the clock on the wall shows this minute. Default 0. */
  | { readonly type: 'simple'; readonly every: 'hour'; readonly minute?: number | undefined }
  | { readonly type: 'simple'; readonly every: SimpleDays; readonly at: TimesInput }
  | { readonly type: 'simple'; readonly every: 'week'; readonly on: Weekday; readonly at: TimesInput }
  /** Every 14 days, counted from the day `anchor` (`YYYY-MM-DD`) both ways. */
  | { readonly type: 'simple'; readonly every: 'two-weeks'; readonly anchor: string; readonly at: TimesInput }
  /** `on`: 1 to 31, or `last`. `shortMonth`: what a month does that has no such day; default `last-day`. */
  | {
      readonly type: 'simple'
      readonly every: 'month'
      readonly on: number | 'last'
      readonly shortMonth?: 'last-day' | 'skip' | undefined
      readonly at: TimesInput
    }
  /** On every day that one of `days`, `weekdays`, `lastDay` and `lastWeekday` names. A month without the 31st has none. */
  | {
      readonly type: 'advanced'
      /** Days of the month, 1 to 31. */
      readonly days?: readonly number[] | undefined
      readonly weekdays?: readonly NthWeekday[] | undefined
      /** The last day of the month. */
      readonly lastDay?: boolean | undefined
      /** The last Monday to Friday of the month. */
      readonly lastWeekday?: boolean | undefined
      /** 1 to 12. Default: all. */
      readonly months?: readonly number[] | undefined
      readonly at: TimesInput
    }
  /** Minute, hour, day of month, month, day of week. */
  | { readonly type: 'cron'; readonly expression: string }
  /** One digit for each day of the week, Monday first: `1111100` is Monday to Friday. */
  | { readonly type: 'custom'; readonly days: string; readonly at: TimesInput }
  /** Elapsed time, at least one minute, counted from `anchor` (ISO 8601, UTC; default 1970-01-01T00:00:00Z) both ways. */
  | { readonly type: 'every'; readonly interval: DurationInput; readonly anchor?: string | undefined }

/** What becomes of due times that nobody looked at in time. */
export type MissedInput =
  /** They are left out. Up to five minutes late counts as in time. */
  | { readonly policy: 'skip' }
  /** The latest of them runs, once, unless it is older than `window`. Default: however old. */
  | { readonly policy: 'latest'; readonly window?: DurationInput | undefined }

/** Default `{ policy: 'latest' }`. `window` is in milliseconds. */
export type Missed = { readonly policy: 'skip' } | { readonly policy: 'latest'; readonly window?: number }

/** What happens when a run is due while the one before it has not ended: no run, or one that waits. */
export type Overlap = 'skip' | 'queue-one'

/** What every schedule has, as an application writes it. */
export interface ScheduleSettingsInput {
  /** IANA name of the time zone in which days and times are read. Default `UTC`. It changes nothing for `every`. */
  readonly zone?: string | undefined
  /** Default `{ policy: 'latest' }`. */
  readonly missed?: MissedInput | undefined
  /** Default `skip`. */
  readonly overlap?: Overlap | undefined
  /** Runs begin up to this much later, each by a time that depends on its key alone. At most 24 hours. Default 0. */
  readonly jitter?: DurationInput | undefined
}

/** A schedule as an application writes it. */
export type ScheduleInput = RuleInput & ScheduleSettingsInput

/** When a schedule is due. Times are sorted, durations milliseconds. */
export type Rule =
  | { readonly type: 'simple'; readonly every: 'hour'; readonly minute: number }
  | { readonly type: 'simple'; readonly every: SimpleDays; readonly at: readonly string[] }
  | { readonly type: 'simple'; readonly every: 'week'; readonly on: Weekday; readonly at: readonly string[] }
  | { readonly type: 'simple'; readonly every: 'two-weeks'; readonly anchor: string; readonly at: readonly string[] }
  | {
      readonly type: 'simple'
      readonly every: 'month'
      readonly on: number | 'last'
      readonly shortMonth: 'last-day' | 'skip'
      readonly at: readonly string[]
    }
  | {
      readonly type: 'advanced'
      readonly days: readonly number[]
      readonly weekdays: readonly NthWeekday[]
      readonly lastDay: boolean
      readonly lastWeekday: boolean
      readonly months: readonly number[]
      readonly at: readonly string[]
    }
  | { readonly type: 'cron'; readonly expression: string }
  | { readonly type: 'custom'; readonly days: string; readonly at: readonly string[] }
  | { readonly type: 'every'; readonly interval: number; readonly anchor: string }

/** What every schedule has. */
export interface ScheduleSettings {
  readonly zone: string
  readonly missed: Missed
  readonly overlap: Overlap
  /** Milliseconds. */
  readonly jitter: number
}

/** A schedule with its defaults filled in: JSON, as the store keeps it. It parses to itself. */
export type Schedule = Rule & ScheduleSettings

/** A {@link Rule} that goes by the clock on the wall. */
export type WallRule = Exclude<Rule, { readonly type: 'every' }>
