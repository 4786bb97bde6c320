import { HoldfastError } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { emailNotifier } from './email-notifier.ts'
import { type EmailNotifierOptions, parseEmailOptions } from './email-options.ts'

const good: EmailNotifierOptions = { host: 'mail.example.org', port: 587, from: 'backup@example.org', to: 'ops@example.org' }
const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'

const mistake = (options: unknown): HoldfastError => {
  try {
    emailNotifier(options as EmailNotifierOptions)
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error
  }
  throw new Error('not refused')
}

it.each([
  [null, 'the value is null'],
  [{}, 'host is missing; port is missing; usual are 587, 465 and 25; from is missing; to is missing'],
  [{ ...good, host: 'mail example' }, 'host is "mail example"'],
  [{ ...good, host: 'mail\r\nQUIT' }, 'host is "mail\\r\\nQUIT"'],
  [{ ...good, port: 0 }, 'port is 0'],
  [{ ...good, port: '587' }, 'port is "587"'],
  [{ ...good, secure: 'yes' }, 'secure is "yes"'],
  [{ ...good, from: 'backup' }, 'from is "backup", which is no address'],
  [{ ...good, from: 'Backup <backup@example.org>\r\nBcc: x@y.z' }, 'which is no address'],
  [{ ...good, to: 'a@example.org, b@example.org' }, 'to is "a@example.org, b@example.org", which is no address'],
  [{ ...good, to: [] }, 'to is empty'],
  [{ ...good, to: ['a@example.org', 'b'] }, 'to[1] is "b"'],
  [{ ...good, subjectPrefix: 'a\nb' }, 'subjectPrefix is'],
  [{ ...good, timeoutMs: -1 }, 'timeoutMs is -1'],
  [{ ...good, ca: '/etc/ssl/ca.pem' }, 'ca is not a certificate in PEM'],
  [{ ...good, user: 'backup' }, 'password is missing, but user is given'],
  [{ ...good, password: 'canary' }, 'user is missing, but password is given'],
  [{ ...good, user: 'backup', password: '' }, 'password is empty'],
  [{ ...good, pass: 'canary' }, 'pass is not known here'],
])('%j is refused, and nothing secret is shown', (options, problem) => {
  const error = mistake(options)
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(problem) })
  expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('canary')
})

describe('TLS', () => {
  const tls = (more: Partial<EmailNotifierOptions>) => {
    const { secure, requireTls, verify } = parseEmailOptions({ ...good, ...more })
    return { secure, requireTls, verify }
  }
  it('is required, and the certificate must be trusted', () => {
    for (const port of [587, 25, 2525]) expect(tls({ port })).toEqual({ secure: false, requireTls: true, verify: true })
    expect(tls({ port: 465 })).toEqual({ secure: true, requireTls: false, verify: true })
    expect(tls({ secure: true })).toEqual({ secure: true, requireTls: false, verify: true })
    expect(tls({ port: 465, secure: false })).toEqual({ secure: false, requireTls: true, verify: true })
  })
  it('is not required on this host, unless a certificate to trust is given', () => {
    for (const host of ['localhost', '127.0.0.1', '127.1.2.3', '::1']) {
      expect(tls({ host })).toEqual({ secure: false, requireTls: false, verify: false })
      expect(tls({ host, ca: pem })).toEqual({ secure: false, requireTls: true, verify: true })
      expect(tls({ host, port: 465 })).toEqual({ secure: true, requireTls: false, verify: true })
    }
    for (const host of ['localhost.example.org', '127.0.0.1.example.org', '10.0.0.1', '0.0.0.0', '::2'])
      expect(tls({ host })).toEqual({ secure: false, requireTls: true, verify: true })
  })
  it('is given up only when somebody says insecure', () => {
    expect(tls({ insecure: true })).toEqual({ secure: false, requireTls: false, verify: false })
    expect(tls({ insecure: true, port: 465 })).toEqual({ secure: true, requireTls: false, verify: false })
  })
})

it('takes mailboxes with and without a name', () => {
  const { from, to } = parseEmailOptions({
    ...good,
    from: '"Backup, Shop" <backup@example.org>',
    to: [' a@example.org ', 'Ada <b@example.org>'],
  })
  expect(from).toEqual({ name: 'Backup, Shop', address: 'backup@example.org' })
  expect(to).toEqual([
    { name: '', address: 'a@example.org' },
    { name: 'Ada', address: 'b@example.org' },
  ])
})
