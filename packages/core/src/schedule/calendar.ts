import type { Weekday } from './types.ts'

/** Days are counted from 1970-01-01, which is 0. No zone is involved. */

export const dayMs = 86_400_000

/** Nothing is due after this day, 2999-12-31: croner looks no further, and all schedules end alike. */
export const lastDay = Date.UTC(2999, 11, 31) / dayMs

export const weekdays: readonly Weekday[] = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday']

/** 0 is Monday. 1970-01-01 was a Thursday. */
export const weekdayOf = (day: number): number => modulo(day + 3, 7)

export const modulo = (value: number, size: number): number => ((value % size) + size) % size

/** A month of a year. `first` is its first day, `length` the number of its days. */
export interface Month {
  /** 1 to 12. */
  readonly month: number
  readonly first: number
  readonly length: number
}

/** The month that `day` is in, or one that is `later` months after it. */
export function monthOf(day: number, later = 0): Month {
  const date = new Date(day * dayMs)
  const first = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1)
  const after = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later + 1, 1)
  return { month: new Date(first).getUTCMonth() + 1, first: first / dayMs, length: (after - first) / dayMs }
}
