import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { HoldfastError, type Notification } from '@holdfast/core/spec'
import { type EmailNotifierOptions, emailNotifier } from '@holdfast/notifier-email'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Certificate,
  makeCertificate,
  type ReceivedMail,
  type SmtpServer,
  type SmtpServerOptions,
  startSmtpServer,
} from '../../../scripts/peers/smtp-server.ts'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'

const notification: Notification = {
  id: 'run-1/2/run-failed',
  at: '2026-11-20T02:30:00.000Z',
  severity: 'error',
  type: 'run-failed',
  text: 'Backup of docker/büro failed: the disk is full',
  data: {
    run: 'run-1',
    key: 'nightly/docker/büro/2026-11-20T02:30:00.000Z',
    plan: 'nightly',
    workload: 'docker/büro',
    error: { code: 'DISK_FULL', remedy: 'Free space.\nBcc: evil@example.org' },
  },
}
const signal = new AbortController().signal
const login = { user: 'backup', password: 'canary pässword' }
const mailboxes = { from: 'Büro Backup <backup@example.org>', to: ['ops@example.org', 'Ada <ada@example.org>'] }

const failure = async (sending: Promise<void>): Promise<HoldfastError> => {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!HoldfastError.isInstance(error)) throw new Error(`not a HoldfastError: ${String(error)}`)
  return error
}
const told = (error: HoldfastError) => `${error.stack} ${JSON.stringify(error)} ${String(error.cause)} ${error.remedy}`

describeWithPeer('smtp', 'e-mail to a real server', (smtp) => {
  let certificate: Certificate
  beforeAll(() => {
    certificate = makeCertificate(smtp)
  })
  afterAll(() => certificate[Symbol.dispose]())

  const withServer = async (
    options: SmtpServerOptions,
    body: (server: SmtpServer, notifierTo: (more?: Partial<EmailNotifierOptions>) => ReturnType<typeof emailNotifier>) => Promise<void>,
  ) => {
    await using server = await startSmtpServer(smtp, { certificate, ...options })
    await body(server, (more) => emailNotifier({ host: 'localhost', port: server.port, ...mailboxes, ...more }))
  }
  const header = (message: ReceivedMail | undefined, name: string) =>
    message?.headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value)

  it('is a message that a person can read and a program can sort', () =>
    withServer({ tls: 'none' }, async (server, notifierTo) => {
      await notifierTo({ subjectPrefix: '[Shop]' }).send(notification, { signal })
      const [message] = await server.messages()
      expect(message).toMatchObject({ sender: 'backup@example.org', recipients: ['ops@example.org', 'ada@example.org'], tls: false })
      expect(header(message, 'from')).toEqual(['Büro Backup <backup@example.org>'])
      expect(header(message, 'to')).toEqual(['ops@example.org, Ada <ada@example.org>'])
      expect(header(message, 'subject')).toEqual(['[Shop] ERROR: Backup of docker/büro failed: the disk is full'])
      expect(header(message, 'date')).toEqual(['Fri, 20 Nov 2026 02:30:00 +0000'])
      expect(header(message, 'auto-submitted')).toEqual(['auto-generated'])
      expect(header(message, 'x-holdfast-id')).toEqual(['run-1/2/run-failed'])
      expect(header(message, 'x-holdfast-severity')).toEqual(['error'])
      expect(header(message, 'bcc')).toEqual([])
      expect(message?.body.replaceAll('\r\n', '\n')).toBe(`Backup of docker/büro failed: the disk is full

What to do:   Free space. Bcc: evil@example.org
When:         2026-11-20T02:30:00.000Z
Severity:     error
Type:         run-failed
Plan:         nightly
Workload:     docker/büro
Run:          nightly/docker/büro/2026-11-20T02:30:00.000Z
Notification: run-1/2/run-failed
`)
    }))

  it('has the same Message-ID when it is sent again, and another one for another notification', () =>
    withServer({}, async (server, notifierTo) => {
      for (const id of ['a/1', 'a/1', 'a/2']) await notifierTo().send({ ...notification, id }, { signal })
      const [first, again, other] = (await server.messages()).map((message) => header(message, 'message-id')?.[0])
      expect(first).toMatch(/^<holdfast\.[0-9a-f]{32}@example\.org>$/)
      expect(again).toBe(first)
      expect(other).not.toBe(first)
    }))

  it('cannot be given another header or recipient by a text, a type or an id', () =>
    withServer({}, async (server, notifierTo) => {
      const forged = 'x\r\nBcc: evil@example.org\r\n\r\nbody'
      await notifierTo().send({ ...notification, id: forged, type: forged, text: forged, data: { plan: forged, key: forged } }, { signal })
      const [message] = await server.messages()
      expect(message?.recipients).toEqual(['ops@example.org', 'ada@example.org'])
      expect(header(message, 'bcc')).toEqual([])
      expect(message?.raw).not.toMatch(/^(Bcc|body)/im)
    }))

  it('goes over STARTTLS with a login that is not told before', () =>
    withServer({ tls: 'starttls', ...login }, async (server, notifierTo) => {
      await notifierTo({ ...login, ca: certificate.pem }).send(notification, { signal })
      expect(await server.logins()).toEqual([expect.objectContaining({ good: true, tls: true })])
      expect(await server.messages()).toEqual([expect.objectContaining({ tls: true, login: true })])
    }))

  it('goes over TLS from the start', () =>
    withServer({ tls: 'from-the-start', ...login }, async (server, notifierTo) => {
      await notifierTo({ ...login, ca: certificate.pem, secure: true }).send(notification, { signal })
      expect((await server.messages()).length).toBe(1)
    }))

  it('a wrong password is an error that no further try mends, and shows nothing of it', () =>
    withServer({ tls: 'starttls', user: 'backup', password: 'another one' }, async (server, notifierTo) => {
      const error = await failure(notifierTo({ ...login, ca: certificate.pem }).send(notification, { signal }))
      expect(error).toMatchObject({
        code: 'NOTIFIER_FAILED',
        retryable: false,
        message: `The mail server localhost:${server.port} refused user and password (535); notification ${notification.id} was not taken.`,
        details: { host: 'localhost', port: server.port },
      })
      const forms = [
        login.password,
        Buffer.from(login.password).toString('base64'),
        Buffer.from(`\0backup\0${login.password}`).toString('base64'),
      ]
      for (const form of forms) expect(told(error)).not.toContain(form)
      expect(await server.messages()).toEqual([])
    }))

  it('is not sent without TLS when TLS is wanted', () =>
    withServer({ tls: 'none' }, async (server, notifierTo) => {
      const error = await failure(notifierTo({ ca: certificate.pem }).send(notification, { signal }))
      expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('does not offer TLS') })
      expect(await server.messages()).toEqual([])
    }))

  it('is not sent to a server whose certificate nobody trusted has signed', async () => {
    for (const tls of ['starttls', 'from-the-start'] as const)
      await withServer({ tls }, async (server, notifierTo) => {
        using other = makeCertificate(smtp)
        const error = await failure(notifierTo({ ca: other.pem, secure: tls === 'from-the-start' }).send(notification, { signal }))
        expect(error, tls).toMatchObject({
          retryable: false,
          message: expect.stringMatching(/certificate that is not trusted \([A-Z_]+\)/),
        })
        expect(await server.messages()).toEqual([])
      })
  })

  it('uses TLS that a server on this host offers, whoever has signed its certificate', () =>
    withServer({ tls: 'starttls' }, async (server, notifierTo) => {
      await notifierTo().send(notification, { signal })
      expect(await server.messages()).toEqual([expect.objectContaining({ tls: true })])
    }))

  it('is sent again after a refusal that may pass; one for good is told apart', () =>
    withServer({}, async (server, notifierTo) => {
      const notifier = notifierTo()
      await server.refuse('451 4.3.0 try later')
      expect(await failure(notifier.send(notification, { signal }))).toMatchObject({
        retryable: true,
        message: expect.stringContaining('answered 451 4.3.0 try later'),
      })
      await server.refuse('554 5.7.1 rejected as spam')
      expect(await failure(notifier.send(notification, { signal }))).toMatchObject({
        retryable: false,
        message: expect.stringContaining('answered 554 5.7.1 rejected as spam'),
      })
      await server.refuse(null)
      await notifier.send(notification, { signal })
      expect((await server.messages()).length).toBe(1)
    }))

  it('a server that repeats the login in its answer does not make the error tell it', () => {
    const known = { user: 'backup', password: 'canary-password' }
    const plain = Buffer.from(`\0${known.user}\0${known.password}`).toString('base64')
    return withServer({ tls: 'starttls', ...known }, async (server, notifierTo) => {
      await server.refuse(`554 5.7.1 not with ${known.password} or ${plain}`)
      const error = await failure(notifierTo({ ...known, ca: certificate.pem }).send(notification, { signal }))
      expect(error.message).toContain('answered 554 5.7.1 not with (hidden) or (hidden)')
      for (const form of [known.password, plain]) expect(told(error)).not.toContain(form)
    })
  })

  it('is taken when one of several recipients is, and refused for good when none is', () =>
    withServer({}, async (server, notifierTo) => {
      await notifierTo({ to: ['nobody@example.org', 'ops@example.org'] }).send(notification, { signal })
      expect((await server.messages()).map(({ recipients }) => recipients)).toEqual([['ops@example.org']])
      const error = await failure(notifierTo({ to: 'nobody@example.org' }).send(notification, { signal }))
      expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('there is no such user') })
    }))

  it('the server may be gone and come back', async () => {
    const server = await startSmtpServer(smtp)
    const { port } = server
    await using notifier = emailNotifier({ host: '127.0.0.1', port, ...mailboxes })
    await notifier.send(notification, { signal })
    await server[Symbol.asyncDispose]()
    expect(await failure(notifier.send(notification, { signal }))).toMatchObject({
      retryable: true,
      message: expect.stringContaining('could not be reached (ECONNREFUSED)'),
    })
    await using back = await startSmtpServer(smtp, { port })
    await notifier.send(notification, { signal })
    expect((await back.messages()).length).toBe(1)
  })
})

describe('a server that says nothing', () => {
  const withSilence = async (body: (port: number, sockets: Set<Socket>) => Promise<void>) => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => sockets.delete(socket))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await body((server.address() as AddressInfo).port, sockets)
    } finally {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  }

  it('is given up at the deadline, and its connection is let go', () =>
    withSilence(async (port, sockets) => {
      const notifier = emailNotifier({ host: '127.0.0.1', port, timeoutMs: 200, ...mailboxes })
      const error = await failure(notifier.send(notification, { signal }))
      expect(error).toMatchObject({ code: 'NOTIFIER_FAILED', retryable: true })
      await expect.poll(() => sockets.size).toBe(0)
    }))

  it('is let go at once when the call is aborted', () =>
    withSilence(async (port, sockets) => {
      const aborter = new AbortController()
      const sending = emailNotifier({ host: '127.0.0.1', port, ...mailboxes }).send(notification, { signal: aborter.signal })
      const rejected = expect(sending).rejects.toMatchObject({ code: 'ABORTED' })
      await expect.poll(() => sockets.size).toBe(1)
      aborter.abort()
      await rejected
      await expect.poll(() => sockets.size).toBe(0)
    }))
})
