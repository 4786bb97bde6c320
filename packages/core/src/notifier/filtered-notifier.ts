import { throwIfAborted } from '../spec/helpers/abort.ts'
import { nearest } from '../spec/helpers/nearest.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'
import type { Notification, Notifier } from '../spec/notifier.ts'
import { notificationType, notificationTypes } from './notification-types.ts'

/** What a {@link filteredNotifier} lets through. A notification must satisfy everything that is given. */
export interface NotificationFilter {
  /** This severity and those above it: `info`, `warning`, `error`. The all-clear of something that passes, passes too. */
  readonly atLeast?: Notification['severity']
  /** These types. `*` stands for any letters: `run-*`. */
  readonly types?: readonly string[]
  /** What runs of these plans tell; runs by hand and what belongs to no plan do not pass. */
  readonly plans?: readonly string[]
}

const keys = ['atLeast', 'types', 'plans'] as const
const severities = ['info', 'warning', 'error'] as const

/**
 * A notifier that is told only some of what happens. Everything else never reaches it, and nothing is kept for it. The notifier inside is disposed with
 * this one; the same notifier inside several filters is disposed several times, which is allowed. Throws INVALID_OPTIONS for a filter that would let
 * nothing through: a type that does not exist, an empty list.
 *
 * @example
 * ```ts
 * notifiers: { mail, pager: filteredNotifier(pager, { atLeast: 'error', plans: ['nightly'] }) }
 * ```
 */
export function filteredNotifier(notifier: Notifier, filter: NotificationFilter): Notifier {
  const mistakes = [...unknownKeys(filter, keys), ...badSeverity(filter), ...badTypes(filter), ...badPlans(filter)]
  if (mistakes.length > 0) throw invalidOptions('filteredNotifier', mistakes)
  const types = filter.types?.map(patternOf)
  const wants = (notification: Notification): boolean =>
    (filter.atLeast === undefined || rankOf(notification) >= severities.indexOf(filter.atLeast)) &&
    (types === undefined || types.some((type) => type.test(notification.type))) &&
    (filter.plans === undefined || filter.plans.includes(planOf(notification.data) ?? '')) &&
    (notifier.wants?.(notification) ?? true)
  return {
    specVersion: 1,
    kind: notifier.kind,
    wants,
    async send(notification, options) {
      throwIfAborted(options.signal)
      if (wants(notification)) await notifier.send(notification, options)
    },
    [Symbol.asyncDispose]: () => notifier[Symbol.asyncDispose](),
  }
}

/** An all-clear matters as much as what it ends: nobody shall be left with an alarm. */
function rankOf({ severity, type }: Notification): number {
  const ended = notificationType(type)?.ends
  const alarm = ended === undefined ? undefined : notificationType(ended)?.severity
  return Math.max(severities.indexOf(severity), severities.indexOf(alarm ?? 'info'))
}

function planOf(data: Json): string | undefined {
  const plan = typeof data === 'object' && data !== null && 'plan' in data ? data.plan : undefined
  return typeof plan === 'string' ? plan : undefined
}

function patternOf(glob: string): RegExp {
  const parts = glob.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`)
}

function badSeverity({ atLeast }: NotificationFilter): readonly OptionsMistake[] {
  if (atLeast === undefined || severities.includes(atLeast)) return []
  const meant = nearest(String(atLeast), severities)
  return [
    { path: 'atLeast', problem: `is ${showValue(atLeast)}; allowed: "info", "warning", "error"`, ...(meant !== undefined && { meant }) },
  ]
}

/** A misspelt type would never be heard, and nobody would miss it. */
function badTypes({ types }: NotificationFilter): readonly OptionsMistake[] {
  if (types === undefined) return []
  const known = Object.keys(notificationTypes)
  return badList('types', types, (type) => {
    if (known.some((each) => patternOf(type).test(each))) return undefined
    const meant = nearest(type, known)
    return { problem: `is ${showValue(type)}, which no notification is; known: ${known.join(', ')}`, ...(meant !== undefined && { meant }) }
  })
}

function badPlans({ plans }: NotificationFilter): readonly OptionsMistake[] {
  return plans === undefined ? [] : badList('plans', plans, () => undefined)
}

function badList(
  path: string,
  list: unknown,
  check: (item: string) => Omit<OptionsMistake, 'path'> | undefined,
): readonly OptionsMistake[] {
  if (!Array.isArray(list)) return [{ path, problem: `is ${showValue(list)}; expected a list of names` }]
  if (list.length === 0) return [{ path, problem: 'is empty, so nothing would pass', remedy: `Leave ${path} out to let all of them pass.` }]
  return list.flatMap((item: unknown, index): OptionsMistake[] => {
    const where = `${path}[${index}]`
    if (typeof item !== 'string' || item === '') return [{ path: where, problem: `is ${showValue(item)}; expected a name` }]
    const mistake = check(item)
    return mistake === undefined ? [] : [{ path: where, ...mistake }]
  })
}
