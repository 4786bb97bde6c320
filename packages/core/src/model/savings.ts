import type { WorkloadRef } from '../spec/workload.ts'
import type { ByteCounts } from './manifest-types.ts'
import type { BackupOutcome, ItemOutcome } from './run-outcome.ts'

/** What one backup cost, as it was recorded when it was made. JSON. */
export interface RunSavings {
  /** Key of the run. */
  readonly run: string
  readonly plan?: string
  readonly workload: WorkloadRef
  readonly repository: string
  readonly point: string
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly bytes: ByteCounts
  /**
   * How the disks and archives lie there: `vmdk` (kept as the platform packed it), `qcow2`, `qcow2 incremental`, `tar` or `bytes`; several are joined by
   * ` + `. Files beside disks and archives count only where they are all there is.
   */
  readonly form: string
  readonly items: readonly ItemOutcome[]
}

/** Sums over backups. */
export interface SavingsTotal {
  /** How many. */
  readonly runs: number
  /** What they cost together: `provisioned` is what as many full copies would have taken. */
  readonly bytes: ByteCounts
}

/** What lies in a repository now. */
export interface KeptBytes {
  readonly repository: string
  readonly points: number
  /** Bytes. */
  readonly stored: number
}

/** What a plan has cost for one workload. */
export interface WorkloadSavings {
  readonly workload: WorkloadRef
  /** Of all its backups, also of those whose points are deleted. */
  readonly total: SavingsTotal
  readonly newest?: RunSavings
  /** Of the points that there are now, for each repository that has some. */
  readonly kept: readonly KeptBytes[]
}

/** What a plan has cost. JSON. */
export interface PlanSavings extends Omit<WorkloadSavings, 'workload'> {
  readonly plan: string
  /** The total, parted by the form of each backup. */
  readonly byForm: readonly (SavingsTotal & { readonly form: string })[]
  /** By provider and id. */
  readonly workloads: readonly WorkloadSavings[]
}

/** See {@link RunSavings}. Pure. */
export function formOf(items: BackupOutcome['items']): string {
  const forms = new Set(items.map(formOfItem))
  if (forms.size > 1) forms.delete('bytes')
  return [...forms].sort().join(' + ')
}

/** A result of an older version tells no format: its disks are known by their form. */
function formOfItem({ form, format }: ItemOutcome): string {
  if (form === 'incremental') return 'qcow2 incremental'
  return format ?? (form === 'full' ? 'qcow2' : 'bytes')
}

const nothing: ByteCounts = { provisioned: 0, used: 0, transferred: 0, stored: 0 }

/** Pure. */
export function totalOf(runs: readonly RunSavings[]): SavingsTotal {
  const add = (sum: ByteCounts, { bytes }: RunSavings): ByteCounts => ({
    provisioned: sum.provisioned + bytes.provisioned,
    used: sum.used + bytes.used,
    transferred: sum.transferred + bytes.transferred,
    stored: sum.stored + bytes.stored,
  })
  return { runs: runs.length, bytes: runs.reduce(add, nothing) }
}
