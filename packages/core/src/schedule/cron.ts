import { Cron } from 'croner'

const fields = ['minute', 'hour', 'day of month', 'month', 'day of week'] as const

/** What is wrong with a cron expression, in words that follow its value; undefined if nothing is. */
export function cronMistake(expression: string): string | undefined {
  const written = fieldsOf(expression)
  if (written.length !== fields.length) return `expected ${fields.length} fields (${fields.join(', ')}), not ${written.length}`
  // croner takes a few more signs, which other programs read differently or not at all.
  const odd = /[^0-9A-Za-z*,/#\s-]/.exec(expression)?.[0] ?? (/W/i.test(written[2] ?? '') ? 'W' : undefined)
  if (odd !== undefined) return `"${odd}" is not known; fields are made of numbers, names, and * , - / # L`
  try {
    if (cronOf(expression).nextRun(new Date(0)) === null) return 'there is no such day'
  } catch (error) {
    return error instanceof Error ? error.message.replace('CronPattern: ', '') : 'it cannot be read'
  }
  return undefined
}

/** How a cron expression meets a change of clocks. */
export interface CronHabits {
  /** It is due in every hour: its hours are all of them. */
  readonly everyHour: boolean
  /** It goes on by steps, `*` or `*` with a step, in minutes or hours. */
  readonly steps: boolean
}

export function cronHabits(expression: string): CronHabits {
  const [minute = '', hour = ''] = fieldsOf(expression)
  const everyHour = /^(\*(\/1)?|0-23(\/1)?)$/.test(hour)
  return { everyHour, steps: everyHour || minute.startsWith('*') || hour.startsWith('*') }
}

/** The first wall time after `after` that an expression names. croner only reads the calendar here; zones are ours, so that all schedules have one rule. */
export function cronTimes(expression: string): (after: number) => number | null {
  const cron = cronOf(expression)
  return (after) => cron.nextRun(new Date(after))?.getTime() ?? null
}

const cronOf = (expression: string): Cron => new Cron(expression, { mode: '5-part', utcOffset: 0 })
const fieldsOf = (expression: string): readonly string[] => expression.trim().split(/\s+/)
