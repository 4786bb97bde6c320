export { type DueDecision, decideDue } from './decide-due.ts'
export { describeSchedule } from './describe.ts'
export { jitterOf } from './jitter.ts'
export { latestDue, nextDue } from './next-due.ts'
export { parseSchedule, scheduleSchema } from './schedule-schema.ts'
export type {
  Missed,
  MissedInput,
  NthWeekday,
  Overlap,
  Rule,
  RuleInput,
  Schedule,
  ScheduleInput,
  ScheduleSettings,
  ScheduleSettingsInput,
  SimpleDays,
  TimesInput,
  WallRule,
  Weekday,
} from './types.ts'
