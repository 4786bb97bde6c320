import { isoTime } from '../model/names.ts'

/** ISO 8601 UTC. Damaged rows may hold a time that is none: it is shown as the number it is. */
export function timeText(time: number): string {
  return Math.abs(time) <= 8.64e15 ? isoTime(time) : String(time)
}
