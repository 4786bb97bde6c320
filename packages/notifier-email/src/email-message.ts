import { createHash } from 'node:crypto'
import { type Json, type Notification, oneLine } from '@holdfast/core/spec'
import type { SendMailOptions } from 'nodemailer'
import type { EmailSettings } from './email-options.ts'

/** Longer ones are cut by most programs anyway. */
const longestSubject = 150

/** A plain text for people; what a program wants to sort by is in its headers. The same notification has the same `Message-ID` each time. */
export function emailMessage(settings: EmailSettings, notification: Notification): SendMailOptions {
  const { id, at, severity, type, text } = notification
  const { subjectPrefix, from, to } = settings
  return {
    from: { ...from },
    to: to.map((each) => ({ ...each })),
    subject: oneLine(`${subjectPrefix} ${severity.toUpperCase()}: ${text}`.trim(), longestSubject),
    messageId: messageId(id, from.address),
    date: new Date(at),
    priority: severity === 'error' ? 'high' : 'normal',
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Holdfast-Id': encodeURI(id.toWellFormed()),
      'X-Holdfast-Severity': severity,
      'X-Holdfast-Type': oneLine(type),
    },
    text: bodyOf(notification),
    // A text that looks like a path or an address is a text.
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

/** A function of the notification, so that programs that know a message by this show a second delivery once. */
function messageId(id: string, sender: string): string {
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 32)
  return `<holdfast.${digest}@${sender.slice(sender.lastIndexOf('@') + 1)}>`
}

/** Each value is one line: what a platform has told must not look like lines of ours. */
function bodyOf({ id, at, severity, type, text, data }: Notification): string {
  const told = membersOf(data)
  const { remedy } = membersOf(told.error ?? null)
  const facts: readonly (readonly [string, Json | undefined])[] = [
    ['What to do', remedy],
    ['When', at],
    ['Severity', severity],
    ['Type', type],
    ['Plan', told.plan],
    ['Workload', told.workload],
    ['Run', told.key],
    ['Notification', id],
  ]
  const lines = facts.flatMap(([name, value]) => (typeof value === 'string' ? [`${`${name}:`.padEnd(14)}${oneLine(value)}`] : []))
  return `${oneLine(text)}\n\n${lines.join('\n')}\n`
}

function membersOf(data: Json): { readonly [name: string]: Json } {
  return typeof data === 'object' && data !== null && !Array.isArray(data) ? (data as { readonly [name: string]: Json }) : {}
}
