import type { RunWarning } from '../../model/manifest-types.ts'
import { workloadKey } from '../../model/names.ts'
import type {
  BackupOutcome,
  CopyOutcome,
  Finding,
  MergeOutcome,
  PruneOutcome,
  PruneSnapshotsOutcome,
  RescanOutcome,
  RestoreOutcome,
  SnapshotOutcome,
  VerifyOutcome,
} from '../../model/run-outcome.ts'
import { formatBytes, formatDuration } from '../../spec/helpers/index.ts'
import type { Json } from '../../spec/json.ts'
import type { OutboxEvent, Outcome, Run } from '../../spec/store.ts'
import { outboxEvent } from './notices.ts'

/** How an attempt ended, for people. */
export interface RunEnd {
  readonly run: Run
  readonly outcome: Outcome
  /** The store's time. */
  readonly at: number
  /** How long this attempt took. */
  readonly elapsedMs: number
  /** The last run for the same purpose that has failed, ever. */
  readonly lastFailed?: Run
}

/** What is told of it, in the transaction that ends it. Pure; never throws: a text must not keep a run from ending. */
export function runNotices(end: RunEnd): readonly OutboxEvent[] {
  const { run, outcome } = end
  if (outcome.state === 'succeeded') return successNotices(end, outcome.result)
  const what = titleOf(run)
  const message = messageOf(outcome.error)
  const data = { ...aboutRun(run), elapsedMs: end.elapsedMs, ...(outcome.error !== undefined && { error: outcome.error }) }
  const told = (type: 'run-retried' | 'run-failed' | 'run-cancelled', text: string) => [
    outboxEvent(`${run.id}/${run.attempt}/${type}`, { type, at: end.at, text, data }),
  ]
  if (outcome.state === 'queued') {
    // Handed back by a node that stops: it goes on elsewhere, or later.
    if (!outcome.failure) return []
    const again = `is tried again in ${formatDuration(outcome.delay)}`
    return told('run-retried', `${what} failed at attempt ${run.attempt} and ${again}: ${message}`)
  }
  if (outcome.state === 'cancelled') return told('run-cancelled', `${what}: ${message}`)
  const { remedy } = membersOf(outcome.error ?? null)
  const mend = typeof remedy === 'string' ? ` ${remedy}` : ''
  return told('run-failed', `${what} failed${run.attempt > 1 ? ` at attempt ${run.attempt}` : ''}: ${sentence(message)}${mend}`)
}

/** A run that was not begun, because the one before it had not ended. */
export function skippedNotice(run: Run, at: number): OutboxEvent {
  const text = `${titleOf(run)} was skipped: the one before has not ended.`
  return outboxEvent(`${run.id}/skipped`, { type: 'run-skipped', at, text, data: aboutRun(run) })
}

/** A run that was cancelled before anybody took it. */
export function cancelledNotice(run: Run, at: number, reason: string): OutboxEvent {
  const text = `${titleOf(run)} was cancelled before it began: ${reason}`
  return outboxEvent(`${run.id}/cancelled`, { type: 'run-cancelled', at, text, data: aboutRun(run) })
}

function successNotices({ run, at, elapsedMs, lastFailed }: RunEnd, result: Json): readonly OutboxEvent[] {
  const what = titleOf(run)
  const data = { ...aboutRun(run), elapsedMs }
  const { detail, bad = false } = detailOf(run, result)
  const after = run.failures > 0 ? ` at attempt ${run.attempt}` : ''
  const text = `${what} succeeded${after} in ${formatDuration(elapsedMs)}${detail === '' ? '' : `: ${detail}`}.`
  const severity = bad ? { severity: 'warning' as const } : {}
  const notices = [outboxEvent(`${run.id}/${run.attempt}/run-succeeded`, { type: 'run-succeeded', at, text, data, ...severity })]
  if (lastFailed) {
    // Its id is a function of the failure: only the first success after it tells anything new.
    const then = `${what} works again. It had failed: ${messageOf(lastFailed.error)}`
    const recovered = { type: 'run-recovered', at, text: then, data: { ...data, failed: lastFailed.id } } as const
    notices.push(outboxEvent(`${lastFailed.id}/recovered`, recovered))
  }
  const probe = run.operation === 'restore' ? probeOf(result) : undefined
  if (probe?.verdict === 'failed') {
    const failed = `${what} brought back what does not pass its probe: ${probe.evidence}`
    notices.push(outboxEvent(`${run.id}/probe-failed`, { type: 'probe-failed', at, text: failed, data: { ...data, result } }))
  }
  const { takeOver, repository } = membersOf(run.input)
  if (run.operation === 'rescan' && typeof takeOver === 'string') {
    const taken = `Repository "${repository}" is owned by this catalog now. Before, its owner was ${takeOver}.`
    notices.push(outboxEvent(`${run.id}/taken-over`, { type: 'repository-taken-over', at, text: taken, data }))
  }
  return notices
}

/** What a run works on. The row itself names only workloads whose order it takes part in; pruning and verifying name theirs in the input. */
export function subjectOf({ workload, input }: Run): { readonly workload?: string; readonly repository?: string } {
  const { repository, workload: named } = membersOf(input)
  const { provider, id } = membersOf(named ?? null)
  const key = workload ?? (typeof provider === 'string' && typeof id === 'string' ? workloadKey({ provider, id }) : undefined)
  return { ...(key !== undefined && { workload: key }), ...(typeof repository === 'string' && { repository }) }
}

function aboutRun(run: Run): { readonly [name: string]: Json } {
  return {
    run: run.id,
    key: run.key,
    operation: run.operation,
    attempt: run.attempt,
    ...(run.planId !== undefined && { plan: run.planId }),
    ...subjectOf(run),
  }
}

const titles: { readonly [operation: string]: string } = {
  backup: 'Backup',
  restore: 'Restore',
  verify: 'Verification',
  prune: 'Pruning',
  merge: 'Merge',
  copy: 'Copy',
  rescan: 'Rescan',
  sweep: 'Clean-up',
  snapshot: 'Snapshot',
  'prune-snapshots': 'Pruning of snapshots',
}

function titleOf(run: Run): string {
  const { operation, planId, input } = run
  const { workload, repository } = subjectOf(run)
  const name = membersOf(input).purpose === 'test' ? 'Test restore' : (titles[operation] ?? operation)
  const where = workload ?? (repository === undefined ? undefined : `repository "${repository}"`)
  return `${name}${where === undefined ? '' : ` of ${where}`}${planId === undefined ? '' : ` (plan "${planId}")`}`
}

/** What a success has to show, in words; empty for what has nothing, or in a shape that is not known here. `bad`: worth a look all the same. */
function detailOf({ operation }: Run, result: Json): { readonly detail: string; readonly bad?: boolean } {
  try {
    if (operation === 'backup') return backupDetail(result as unknown as BackupOutcome)
    if (operation === 'verify') return verifyDetail(result as unknown as VerifyOutcome)
    if (operation === 'rescan') return rescanDetail(result as unknown as RescanOutcome)
    if (operation === 'restore') {
      const { workload, point } = result as unknown as RestoreOutcome
      return { detail: `${workload} from point ${point}` }
    }
    if (operation === 'snapshot') return snapshotDetail(result as unknown as SnapshotOutcome)
    if (operation === 'prune-snapshots') return pruneSnapshotsDetail(result as unknown as PruneSnapshotsOutcome)
    if (operation === 'copy') return copyDetail(result as unknown as CopyOutcome)
    if (operation === 'merge') return mergeDetail(result as unknown as MergeOutcome)
    if (operation === 'prune') {
      const { points, bytes } = result as unknown as PruneOutcome
      return { detail: `${counted(points.length, 'point')} deleted, ${formatBytes(bytes)} freed` }
    }
  } catch {
    // Nothing is lost but words.
  }
  return { detail: '' }
}

function backupDetail({ bytes, items, warnings }: BackupOutcome): { readonly detail: string } {
  const forms = new Set(items.map(({ form }) => form).filter((form) => form === 'full' || form === 'incremental'))
  const kind = forms.size === 0 ? '' : `${[...forms].join(' and ')}, `
  return { detail: `${kind}${formatBytes(bytes.transferred)} read, ${formatBytes(bytes.stored)} stored${warningsText(warnings)}` }
}

function snapshotDetail({ name, memory, quiesced, warnings }: SnapshotOutcome): { readonly detail: string } {
  const made = [`"${name}"`, ...(memory ? ['with memory'] : []), ...(quiesced ? ['quiesced'] : [])]
  return { detail: `${made.join(', ')}${warningsText(warnings)}` }
}

function pruneSnapshotsDetail({ removed, kept, warnings }: PruneSnapshotsOutcome) {
  const detail = `${counted(removed.length, 'snapshot')} removed, ${kept} kept${warningsText(warnings)}`
  return { detail, bad: warnings.length > 0 }
}

const warningsText = (warnings: readonly RunWarning[]): string =>
  warnings.length === 0 ? '' : `; ${counted(warnings.length, 'warning')}, first: ${warnings[0]?.message}`

function copyDetail({ point, repository, stored }: CopyOutcome): { readonly detail: string } {
  return {
    detail: point === undefined ? `nothing to copy to "${repository}"` : `point ${point} to "${repository}", ${formatBytes(stored)}`,
  }
}

function mergeDetail({ point, disks }: MergeOutcome): { readonly detail: string } {
  const stored = disks.reduce((total, disk) => total + disk.stored, 0)
  return { detail: `point ${point}: ${counted(disks.length, 'disk')} written anew, ${formatBytes(stored)}` }
}

function verifyDetail({ points, bytes, findings }: VerifyOutcome) {
  const read = `${counted(points, 'point')} checked, ${formatBytes(bytes)} read`
  return { detail: `${read}, ${findingsText(findings)}`, bad: findings.length > 0 }
}

function rescanDetail({ added, removed, findings }: RescanOutcome) {
  return { detail: `${counted(added, 'point')} added, ${removed} removed, ${findingsText(findings)}`, bad: findings.length > 0 }
}

function findingsText(findings: readonly Finding[]): string {
  const [first] = findings
  return first === undefined ? 'nothing wrong' : `${counted(findings.length, 'finding')}, first: ${first.file}: ${first.message}`
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`

function probeOf(result: Json): { readonly verdict: Json | undefined; readonly evidence: string } | undefined {
  const { probe } = membersOf(result)
  if (probe === undefined) return undefined
  const { verdict, evidence } = membersOf(probe)
  return { verdict, evidence: String(evidence ?? 'it said no more') }
}

function messageOf(error: Json | undefined): string {
  const { message } = membersOf(error ?? null)
  return typeof message === 'string' ? message : 'no reason was given'
}

/** With an end, so that another sentence may follow. */
const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

function membersOf(value: Json): { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as { readonly [name: string]: Json }) : {}
}
