import { type Notifier, throwIfAborted, withDeadline } from '@holdfast/core/spec'
import { createTransport, type SMTPTransportOptions } from 'nodemailer'
import { emailFailure } from './email-failure.ts'
import { emailMessage } from './email-message.ts'
import { type EmailNotifierOptions, type EmailSettings, parseEmailOptions } from './email-options.ts'

/**
 * Sends each notification as one e-mail in plain text, over SMTP. The subject says how much it matters; the `Message-ID` is a function of the
 * notification, and `X-Holdfast-Id` holds its id.
 *
 * TLS is required, and the server's certificate must be trusted, unless the server is on this host or `insecure` is set. A message is delivered when the
 * server has taken it for at least one recipient. Rejects with NOTIFIER_FAILED: retryable when the server is not there, too slow, or says that it may
 * work later (4xx); not retryable when it refuses for good, refuses user or password, or TLS cannot be had. Abort: rejects with ABORTED and ends the
 * connection; whether it was sent is unknown. Throws INVALID_OPTIONS for a wrong option.
 *
 * @example
 * ```ts
 * const mail = emailNotifier({ host: 'mail.example.org', port: 587, user, password, from: 'backup@example.org', to: 'ops@example.org' })
 * ```
 */
export function emailNotifier(options: EmailNotifierOptions): Notifier {
  const settings = parseEmailOptions(options)
  const transport = createTransport(transportOptions(settings))
  return {
    specVersion: 1,
    kind: 'email',
    async send(notification, { signal }) {
      throwIfAborted(signal)
      const { clock, timeoutMs } = settings
      try {
        await withDeadline({ signal, clock, milliseconds: timeoutMs, name: 'The mail server' }, async (limited) => {
          await transport.sendMail({ ...emailMessage(settings, notification), signal: limited.signal })
        })
      } catch (error) {
        throwIfAborted(signal)
        throw emailFailure(settings, notification, error)
      }
    },
    async [Symbol.asyncDispose]() {
      transport.close()
    },
  }
}

function transportOptions({ host, port, secure, requireTls, verify, ca, login, timeoutMs }: EmailSettings): SMTPTransportOptions {
  return {
    host,
    port,
    secure,
    requireTLS: requireTls,
    tls: { rejectUnauthorized: verify, minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }) },
    ...(login && { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // It has said that it took the message: nothing more is waited for.
    socketCloseTimeout: 0,
  }
}
