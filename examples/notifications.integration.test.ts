// The code of docs/guide/notifications.md, run as it is printed there, with a real mail server and real HTTP.
import { execFileSync } from 'node:child_process'
import { createHmac, timingSafeEqual } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleNotifier, createEngine, filteredNotifier, localRepository, webhookNotifier } from '@holdfast/core'
import type { Notifier } from '@holdfast/core/spec'
import { emailNotifier } from '@holdfast/notifier-email'
import { sqlite } from '@holdfast/store-sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { webhookReceiver } from '../packages/core/test/notifier/webhook-receiver.ts'
import { makeCertificate, startSmtpServer } from '../scripts/peers/smtp-server.ts'
import { describeWithPeer } from '../scripts/peers/test-peers.ts'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

// #region verify
/** `body`: the bytes of the request as they came, before anything has parsed them. `now`: seconds since 1970. */
function isFromHoldfast(body: Buffer, header: string, secret: string, now: number): boolean {
  const { t, v1 } = Object.fromEntries(header.split(',').map((part) => part.split('=', 2)))
  if (!/^\d+$/.test(t ?? '') || Math.abs(now - Number(t)) > 300) return false
  const expected = createHmac('sha256', secret).update(`${t}.`).update(body).digest()
  const given = Buffer.from(v1 ?? '', 'hex')
  return given.length === expected.length && timingSafeEqual(given, expected)
}
// #endregion verify

let root = ''
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-guide-'))
  await mkdir(join(root, 'disks'))
  await writeFile(join(root, 'disks/shop.img'), Buffer.alloc(1 << 20))
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** A backup that succeeds and one that fails, told to these. */
async function backUpTwice(notifiers: { readonly [name: string]: Notifier }): Promise<void> {
  const engine = await createEngine({
    name: 'shop-backup',
    store: sqlite({ file: join(root, 'catalog.db') }),
    repositories: { main: localRepository({ folder: join(root, 'backups') }) },
    providers: { disks: diskFiles({ folder: join(root, 'disks') }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'disks', id: 'shop' }] } },
    retry: { maxFailures: 1 },
    notifiers,
  })
  await engine.start()
  await engine.runPlan('nightly')
  await rm(join(root, 'disks/shop.img'))
  await expect(engine.runPlan('nightly')).rejects.toThrow()
  await engine.stop()
}

const example = (port: number, ca: string) => {
  const settings = { mailPassword: 'of the mail server', host: 'localhost', port, ca }
  // #region email
  const mail = emailNotifier({
    host: settings.host,
    port: settings.port, // 587: begins in clear text and changes to TLS; 465: TLS from the start
    user: 'backup',
    password: settings.mailPassword,
    from: 'Backup <backup@example.org>',
    to: ['ops@example.org', 'ada@example.org'],
    subjectPrefix: '[Shop]',
    ca: settings.ca, // only if a private authority has signed the server's certificate
  })
  // #endregion email
  return mail
}

describeWithPeer('smtp', 'the guide to notifications', (smtp) => {
  it('tells e-mail, a webhook, a chat and the console, each what it wants', async () => {
    using certificate = makeCertificate(smtp)
    await using server = await startSmtpServer(smtp, { tls: 'starttls', user: 'backup', password: 'of the mail server', certificate })
    const [receiver, slack] = [await webhookReceiver(), await webhookReceiver()]
    const mail = example(server.port, certificate.pem)
    const settings = {
      hookUrl: `${receiver.origin}/holdfast`,
      hookSecret: 'made by openssl rand -hex 32',
      slackUrl: `${slack.origin}/services/x`,
    }
    const lines: string[] = []
    const print = (line: string) => void lines.push(line)

    // #region webhook
    const hook = webhookNotifier({ url: settings.hookUrl, secret: settings.hookSecret })
    // #endregion webhook
    // #region slack
    const chat = webhookNotifier({ url: settings.slackUrl, format: 'slack' })
    // #endregion slack
    // #region rules
    const notifiers = {
      console: consoleNotifier({ write: print }), // everything
      mail: filteredNotifier(mail, { atLeast: 'warning' }), // what went wrong, and when it works again
      chat: filteredNotifier(chat, { types: ['run-failed', 'run-recovered', 'point-*'], plans: ['nightly'] }),
      hook,
    }
    // #endregion rules
    await backUpTwice(notifiers)
    await Promise.all([receiver.close(), slack.close()])

    expect(lines.map((line) => line.slice(25, 60)).sort()).toEqual([
      expect.stringMatching(/^error {3}Backup of disks\/shop/),
      expect.stringMatching(/^info {4}Backup of disks\/shop/),
    ])
    expect((await server.messages()).map(({ headers }) => headers.find(([name]) => name === 'Subject')?.[1])).toEqual([
      expect.stringMatching(/^\[Shop\] ERROR: Backup of disks\/shop \(plan "nightly"\) failed: /),
    ])
    expect(slack.taken.map(({ body }) => JSON.parse(body).text)).toEqual([expect.stringMatching(/^ERROR: Backup of disks\/shop/)])
    expect(receiver.taken.map(({ body }) => JSON.parse(body).type).sort()).toEqual(['run-failed', 'run-succeeded'])
    for (const { body, headers } of receiver.taken) {
      const [bytes, header, now] = [Buffer.from(body), String(headers['holdfast-signature']), Date.now() / 1000]
      expect(isFromHoldfast(bytes, header, settings.hookSecret, now)).toBe(true)
      expect(isFromHoldfast(bytes, header, 'another secret', now)).toBe(false)
      expect(isFromHoldfast(Buffer.from(`${body} `), header, settings.hookSecret, now)).toBe(false)
      expect(isFromHoldfast(bytes, header, settings.hookSecret, now + 301)).toBe(false)
      expect(isFromHoldfast(bytes, header.replace(/t=\d+/, `t=${Math.floor(now) + 60}`), settings.hookSecret, now)).toBe(false)
      for (const broken of ['', 't=1', 'v1=00', 't=x,v1=zz']) expect(isFromHoldfast(bytes, broken, settings.hookSecret, now)).toBe(false)
    }
  })

  it('checks a signature with the Python that it prints', async () => {
    const receiver = await webhookReceiver()
    const secret = 'made by openssl rand -hex 32'
    const notification = { id: 'n', at: '2026-11-20T02:30:00.000Z', severity: 'info', type: 't', text: 'Büro', data: null } as const
    await webhookNotifier({ url: receiver.origin, secret }).send(notification, { signal: AbortSignal.timeout(30_000) })
    await receiver.close()
    const page = await readFile(new URL('../docs/guide/notifications.md', import.meta.url), 'utf8')
    const [, printed] = /```python\n([\s\S]*?)```/.exec(page) ?? []
    const call = 'import sys, time\nprint(is_from_holdfast(sys.stdin.buffer.read(), sys.argv[1], sys.argv[2], time.time()))\n'
    const { body = '', headers } = receiver.taken[0] ?? {}
    const header = String(headers?.['holdfast-signature'])
    const check = (text: string, key: string) =>
      execFileSync(smtp.python, ['-c', `${printed}\n${call}`, header, key], { input: text, encoding: 'utf8' }).trim()
    expect(check(body, secret)).toBe('True')
    expect(check(`${body} `, secret)).toBe('False')
    expect(check(body, 'another secret')).toBe('False')
  })
})
