import type { CallOptions } from '../../spec/blocks.ts'
import { formatDuration, withDeadline } from '../../spec/helpers/index.ts'
import type { Notification, Notifier } from '../../spec/notifier.ts'
import { errorText } from '../error-text.ts'
import type { EngineParts } from '../parts.ts'
import { type OutboxRow, readRow, rowFor } from './notices.ts'
import { createLane, type Lane } from './notifier-lane.ts'

/** Delivers what the outbox holds; rejects when the store cannot be used. Calls are made one after the other. */
export type Delivery = (options: CallOptions) => Promise<void>

const batch = 100
const longestSendMs = 30_000
/** What could not be delivered for so long is given up. */
const longestWaitMs = 7 * 86_400_000
/** How often a node without notifiers, which has run something, looks for what is too old. */
const lookMs = 3_600_000

/** Rows that were taken belong to this node from `since` until `until`, on the monotonic clock. */
interface Claim {
  readonly since: number
  readonly until: number
}

interface Deliverer {
  readonly parts: EngineParts
  readonly lanes: ReadonlyMap<string, Lane>
  /** Rows that were sent, but not yet marked as done. */
  readonly sent: Set<string>
  readonly sendMs: number
  /** Never the same twice, and never shorter than two sends. */
  nextClaimMs(): number
}

/**
 * Delivery is at least once. An event that several notifiers want is first shared out: one row for each, then the event itself is done; so each notifier
 * hears it by itself, and one that fails costs the others nothing. Whoever dies in between leaves the event or the rows, never neither; what was sent
 * and not yet marked is sent again, under the same id.
 *
 * A notifier that fails gets a growing pause. What nobody has taken for 7 days goes.
 */
export function createDelivery(parts: EngineParts): Delivery {
  const sendMs = Math.min(parts.stallMs, longestSendMs)
  const lanes = new Map([...parts.notifiers.keys()].map((name) => [name, createLane(parts.clock, 2 * sendMs)] as const))
  const deliverer: Deliverer = { parts, lanes, sent: new Set(), sendMs, nextClaimMs: unevenTimes(2 * sendMs) }
  let last: Promise<unknown> = Promise.resolve()
  let lookedAt = Number.NEGATIVE_INFINITY
  let added = false
  // Who makes the events looks after them; a process that only starts and stops writes nothing.
  parts.events.on('run-finished', () => {
    added = true
  })
  const deliver = async (options: CallOptions) => {
    if (parts.notifiers.size > 0) return await deliverAll(deliverer, options)
    if (!added || parts.clock.monotonic() - lookedAt < lookMs) return
    lookedAt = parts.clock.monotonic()
    added = false
    await dropUnwanted(parts, options)
  }
  return (options) => {
    const turn = last.then(() => deliver(options))
    last = turn.catch(() => undefined)
    return turn
  }
}

/**
 * From `shortest` up to a quarter more, spread evenly. Nodes look at the same intervals: with claims that are always as long, the one that has just put a
 * row off would be the first to see it again each time, and the one that could send it never.
 */
function unevenTimes(shortest: number): () => number {
  const step = (Math.sqrt(5) - 1) / 2
  let part = 0
  return () => {
    part = (part + step) % 1
    return Math.round(shortest * (1 + part / 4))
  }
}

async function deliverAll(deliverer: Deliverer, options: CallOptions): Promise<void> {
  const { parts, lanes, nextClaimMs } = deliverer
  for (let claimMs = nextClaimMs(); ; ) {
    const since = parts.clock.monotonic()
    const events = await parts.store.outbox.take(claimMs, batch, options)
    if (events.length === 0) return
    const now = await storeNow(parts, options)
    const rows = events.map((event) => readRow(event, now))
    const moved = await deliverRows(deliverer, rows, { since, until: since + claimMs }, now, options)
    if (events.length < batch && moved === 0) return
    // Where nothing moves, there is a backlog of somebody who fails: it is put off as long as that, or it would be taken every minute.
    const pauses = [...lanes.values()].map((lane) => lane.pauseMs()).filter((pause) => pause > 0)
    claimMs = moved > 0 || pauses.length === 0 ? nextClaimMs() : Math.max(nextClaimMs(), Math.min(...pauses))
  }
}

async function storeNow(parts: EngineParts, options: CallOptions): Promise<number> {
  return (await parts.store.plans.due(0, options)).now
}

/** How many rows are done. */
async function deliverRows(
  deliverer: Deliverer,
  rows: readonly OutboxRow[],
  claim: Claim,
  now: number,
  options: CallOptions,
): Promise<number> {
  const { parts, lanes } = deliverer
  const { forOne, shared, unwanted, left } = sort(parts, rows)
  const { outbox } = parts.store
  if (shared.length > 0) {
    await outbox.add(
      shared.flatMap(({ row, names }) => names.map((name) => rowFor(name, row.notification))),
      options,
    )
  }
  const over = [...unwanted, ...shared.map(({ row }) => row)].map(({ rowId }) => rowId)
  if (over.length > 0) await outbox.done(over, options)
  const sending = [...forOne].flatMap(([name, each]) => {
    const [notifier, lane] = [parts.notifiers.get(name), lanes.get(name)]
    return notifier && lane ? [sendRows(deliverer, { name, notifier, lane }, each, claim, options)] : []
  })
  const settled = await Promise.allSettled(sending)
  const failed = settled.find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
  const kept = [...left, ...settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : []))]
  const dropped = await dropOld(parts, kept, now, options)
  return rows.length - kept.length + dropped
}

interface Sorted {
  /** By name of the notifier. */
  readonly forOne: ReadonlyMap<string, readonly OutboxRow[]>
  /** To be shared out among these. */
  readonly shared: readonly { readonly row: OutboxRow; readonly names: readonly string[] }[]
  readonly unwanted: readonly OutboxRow[]
  /** For a notifier that this node does not have. */
  readonly left: readonly OutboxRow[]
}

function sort({ notifiers }: EngineParts, rows: readonly OutboxRow[]): Sorted {
  const forOne = new Map<string, OutboxRow[]>()
  const shared: { row: OutboxRow; names: readonly string[] }[] = []
  const unwanted: OutboxRow[] = []
  const left: OutboxRow[] = []
  for (const row of rows) {
    const asked = row.to === undefined ? [...notifiers.keys()] : [row.to]
    const names = asked.filter((name) => wants(notifiers.get(name), row.notification))
    const [only] = names
    if (row.to !== undefined && !notifiers.has(row.to)) left.push(row)
    else if (only === undefined) unwanted.push(row)
    // A row of its own keeps the time of an event that has none: by it, it goes one day.
    else if (names.length > 1 || !row.dated) shared.push({ row, names })
    else forOne.set(only, [...(forOne.get(only) ?? []), row])
  }
  return { forOne, shared, unwanted, left }
}

/** A filter that throws lets pass: better a message too many. */
function wants(notifier: Notifier | undefined, notification: Notification): boolean {
  try {
    return notifier?.wants?.(notification) ?? true
  } catch {
    return true
  }
}

interface Target {
  readonly name: string
  readonly notifier: Notifier
  readonly lane: Lane
}

/** One after the other. Gives those that were not sent. Rejects only when the store does, or on abort. */
async function sendRows(
  deliverer: Deliverer,
  target: Target,
  rows: readonly OutboxRow[],
  claim: Claim,
  options: CallOptions,
): Promise<readonly OutboxRow[]> {
  const { parts, sent, sendMs } = deliverer
  const left: OutboxRow[] = []
  for (const row of rows) {
    // Whoever may take longer than the claim lasts would send what another node has been given meanwhile.
    const inTime = () => parts.clock.monotonic() + sendMs <= claim.until
    const isSent =
      sent.has(row.rowId) || (target.lane.isOpenFor(row.rowId) && inTime() && (await send(deliverer, target, row, claim, options)))
    if (!isSent) {
      left.push(row)
      continue
    }
    sent.add(row.rowId)
    await parts.store.outbox.done([row.rowId], options)
    sent.delete(row.rowId)
  }
  return left
}

async function send(
  { parts, sendMs }: Deliverer,
  { name, notifier, lane }: Target,
  { rowId, notification }: OutboxRow,
  { since }: Claim,
  options: CallOptions,
): Promise<boolean> {
  const before = lane.failures
  try {
    const deadline = { ...options, clock: parts.clock, milliseconds: sendMs, name: `Notifier "${name}"` }
    await withDeadline(deadline, (limited) => notifier.send(notification, limited))
  } catch (error) {
    options.signal.throwIfAborted()
    lane.failed(rowId, error, since)
    const message = `Notifier "${name}" could not send; it is tried again.`
    parts.logger.warn(message, { notifier: name, id: notification.id, failures: lane.failures, error: errorText(error) })
    if (before === 0) parts.events.emit('warning', { code: 'NOTIFIER_FAILED', message: `${message} ${errorText(error)}`, cause: error })
    return false
  }
  lane.succeeded(rowId)
  if (before > 0) parts.logger.info(`Notifier "${name}" works again.`, { notifier: name, failures: before })
  return true
}

/** Gives up what has waited for too long. How many. */
async function dropOld(parts: EngineParts, rows: readonly OutboxRow[], now: number, options: CallOptions): Promise<number> {
  const old = rows.filter((row) => isOld(row, now))
  if (old.length === 0) return 0
  await parts.store.outbox.done(
    old.map(({ rowId }) => rowId),
    options,
  )
  for (const { to, notification } of old) {
    const { id, type, text, at } = notification
    parts.logger.error('A notification is given up.', { id, type, at, text, ...(to !== undefined && { notifier: to }) })
  }
  const [first] = old
  const what = old.length === 1 ? 'A notification' : `${old.length} notifications`
  const message = `${what} could not be delivered for ${formatDuration(longestWaitMs)}: given up, first ${first?.notification.id}.`
  parts.events.emit('warning', { code: 'NOTIFICATION_DROPPED', message })
  return old.length
}

function isOld({ notification }: OutboxRow, now: number): boolean {
  return now - Date.parse(notification.at) > longestWaitMs
}

/**
 * A node without notifiers leaves everything to the others: it looks at what there is without keeping it from them, and removes what nobody has taken for too
 * long, so that the outbox of an application that wants no notifications does not grow for ever.
 */
async function dropUnwanted(parts: EngineParts, options: CallOptions): Promise<void> {
  for (;;) {
    const events = await parts.store.outbox.take(0, batch, options)
    const now = await storeNow(parts, options)
    const old = events.map((event) => readRow(event, now)).filter((row) => isOld(row, now))
    if (old.length === 0) return
    await parts.store.outbox.done(
      old.map(({ rowId }) => rowId),
      options,
    )
    parts.logger.info('Notifications that nobody has asked for are removed.', { count: old.length })
    if (events.length < batch) return
  }
}
