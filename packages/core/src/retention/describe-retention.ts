import type { RetentionPlan } from './retention-plan.ts'
import { timeText } from './time-text.ts'

/**
 * The plan as a table for people, newest point first, for a dry run: point, time (UTC), `keep` or `delete`, reasons. Then the warnings and the totals. Lines
 * end with a newline; reasons that people wrote cannot begin one.
 */
export function describeRetention(plan: RetentionPlan): string {
  const rows = plan.decisions.map(({ point, keep, reasons }) => [
    point.id,
    timeText(point.createdAt),
    keep ? 'keep' : 'delete',
    reasons.join('; '),
  ])
  const table = [['POINT', 'CREATED', 'DECISION', 'REASONS'], ...rows].map((cells) => cells.map(oneLine))
  const widths = [0, 1, 2].map((column) => table.reduce((width, cells) => Math.max(width, cells[column]?.length ?? 0), 0))
  const lines = table.map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
  const stay = plan.decisions.filter(({ keep }) => keep).length
  const warnings = plan.warnings.map(({ message }) => oneLine(`warning: ${message}`))
  return [...lines, ...warnings, `${stay} to keep, ${plan.decisions.length - stay} to delete`].map((line) => `${line}\n`).join('')
}

const oneLine = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
