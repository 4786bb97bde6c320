import type { OfflinePoint } from '@holdfast/core/offline'
import { formatBytes } from '@holdfast/core/spec'
import { printable, shortTime } from './printable.ts'

/** `full`, `incremental`, or `mixed` when some disks are one and some the other. Archives are always whole. */
export function kindOf({ summary }: OfflinePoint): string {
  const forms = new Set(summary.disks.map(({ form }) => form))
  if (forms.size === 2) return 'mixed'
  return forms.has('incremental') ? 'incremental' : 'full'
}

/** What was said of a point, in words. */
export function flagsText({ flags }: OfflinePoint): string {
  const { pin, holdUntil, quarantine, verifiedAt } = flags
  const words = [
    pin === undefined ? '' : `pinned "${printable(pin)}"`,
    holdUntil === undefined ? '' : `held until ${shortTime(holdUntil)}`,
    quarantine === undefined ? '' : 'quarantined',
    verifiedAt === undefined ? '' : `verified ${shortTime(verifiedAt)}`,
  ]
  return words.filter((word) => word !== '').join(', ')
}

/** Its columns in a list. */
export function pointRow(point: OfflinePoint): readonly string[] {
  const { provisioned, stored } = point.summary.bytes
  return [point.id, shortTime(point.createdAt), formatBytes(provisioned), formatBytes(stored), kindOf(point), point.state, flagsText(point)]
}

/** The heads of these columns. */
export const pointHead: readonly string[] = ['POINT', 'CREATED (UTC)', 'SIZE', 'STORED', 'KIND', 'STATE', 'FLAGS']
