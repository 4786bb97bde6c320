import { createHmac } from 'node:crypto'
import { oneLine } from '../spec/helpers/one-line.ts'
import type { Notification } from '../spec/notifier.ts'

/** What the body looks like. */
export type WebhookFormat = 'json' | 'slack'

/** Slack refuses a block whose text is longer. */
const longestBlock = 3000

/** The body of a request, UTF-8. */
export function webhookBody(notification: Notification, format: WebhookFormat): string {
  return JSON.stringify(format === 'slack' ? slackMessage(notification) : { specVersion: 1, ...notification })
}

/**
 * `text` is what a phone shows and what lookalikes of Slack read; Slack reads mark-up in it, so it is escaped. The blocks are plain text: a text from
 * elsewhere must not be able to call a whole channel.
 */
function slackMessage({ id, at, severity, type, text }: Notification) {
  const line = oneLine(`${severity.toUpperCase()}: ${text}`, longestBlock)
  const about = oneLine(`${at} · ${type} · ${id}`, longestBlock)
  return {
    text: line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    blocks: [
      { type: 'section', text: { type: 'plain_text', text: line, emoji: false } },
      { type: 'context', elements: [{ type: 'plain_text', text: about, emoji: false }] },
    ],
  }
}

/** `t=<seconds since 1970>,v1=<HMAC-SHA256 of "<t>.<body>", hex>`: the time is signed too, so that an old request cannot be sent again by somebody else. */
export function webhookSignature(secret: string, now: number, body: string): string {
  const seconds = Math.floor(now / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

/** An id as a header takes it: what is no visible ASCII character is percent-encoded, and the percent sign too. */
export function headerText(id: string): string {
  return id.toWellFormed().replace(/[^\x21-\x24\x26-\x7e]+/g, (part) => encodeURIComponent(part))
}
