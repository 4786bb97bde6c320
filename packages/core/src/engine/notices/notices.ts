import { isoTime } from '../../model/names.ts'
import { type NotificationTypeName, notificationTypes } from '../../notifier/notification-types.ts'
import type { Json } from '../../spec/json.ts'
import type { Notification } from '../../spec/notifier.ts'
import type { OutboxEvent } from '../../spec/store.ts'

/** A transition that people want to hear of. */
export interface Notice {
  readonly type: NotificationTypeName
  /** When it happened, milliseconds UTC, by the store's clock where that is known. */
  readonly at: number
  /** One or two sentences for people. */
  readonly text: string
  /** The same for programs. `plan` and `workload` are what filters and mails look for. */
  readonly data: { readonly [name: string]: Json }
  /** Default: the usual one of the type. */
  readonly severity?: Notification['severity']
}

/** What is put into the outbox. `id` must be a function of the transition: the outbox keeps each id once, however often it is written. */
export function outboxEvent(id: string, { type, at, text, data, severity = notificationTypes[type].severity }: Notice): OutboxEvent {
  return { id, event: { at: isoTime(at), severity, type, text, data } }
}

/** A row of the outbox as it is delivered. */
export interface OutboxRow {
  readonly rowId: string
  /** For this notifier alone. Absent: it has not been given to anybody yet. */
  readonly to?: string
  readonly notification: Notification
  /** The event said itself when it happened. */
  readonly dated: boolean
}

/** `now`: for an event that does not say when it happened. */
export function readRow({ id, event }: OutboxEvent, now: number): OutboxRow {
  const fields = (event ?? {}) as { readonly [name: string]: Json | undefined }
  const severity = fields.severity === 'warning' || fields.severity === 'error' ? fields.severity : 'info'
  const dated = typeof fields.at === 'string' && !Number.isNaN(Date.parse(fields.at))
  return {
    rowId: id,
    ...(typeof fields.to === 'string' && { to: fields.to }),
    notification: {
      id: typeof fields.id === 'string' ? fields.id : id,
      at: dated ? String(fields.at) : isoTime(now),
      severity,
      type: String(fields.type),
      text: String(fields.text),
      data: fields.data ?? null,
    },
    dated,
  }
}

/** The row of one notifier. Its id is a function of both, so that sharing out again after a crash adds nothing. */
export function rowFor(to: string, notification: Notification): OutboxEvent {
  return { id: `${notification.id}@${to}`, event: { to, ...notification } }
}
