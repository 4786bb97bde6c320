import { emailNotifier } from '@holdfast/notifier-email'
import { notifierContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { makeCertificate, startSmtpServer } from '../../../scripts/peers/smtp-server.ts'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'

const [user, password] = ['backup', 'canary-password-of-the-mail']

describeWithPeer('smtp', 'e-mail to a real server, over TLS and with a login', (smtp) => {
  notifierContract({
    describe,
    it,
    secrets: [password, Buffer.from(`\0${user}\0${password}`).toString('base64')],
    // A Python begins and a certificate is made, on a machine that may be busy.
    soonMs: 20_000,
    async create() {
      const certificate = makeCertificate(smtp)
      const server = await startSmtpServer(smtp, { tls: 'starttls', user, password, certificate })
      const about = { host: 'localhost', port: server.port, user, password, ca: certificate.pem }
      let refusing = Promise.resolve()
      const notifier = emailNotifier({ ...about, from: 'backup@example.org', to: 'ops@example.org' })
      return {
        notifier: {
          ...notifier,
          async send(notification, options) {
            // The order reaches the server before the message does.
            await refusing
            await notifier.send(notification, options)
          },
        },
        received: async () =>
          (await server.messages()).map(({ headers, body }) => [...headers.map((each) => each.join(': ')), body].join('\n')),
        refuse() {
          refusing = server.refuse('451 4.3.0 try later')
        },
        async [Symbol.asyncDispose]() {
          await server[Symbol.asyncDispose]()
          certificate[Symbol.dispose]()
        },
      }
    },
  })
})
