import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { PeerFacts } from './find-peers.ts'

const script = fileURLToPath(new URL('smtp-server.py', import.meta.url))

/** A message as the server read it. */
export interface ReceivedMail {
  readonly sender: string
  readonly recipients: readonly string[]
  /** It came over TLS. */
  readonly tls: boolean
  /** The sender had logged in. */
  readonly login: boolean
  /** In order, decoded. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Decoded. */
  readonly body: string
  /** As it came over the wire. */
  readonly raw: string
}

/** How a server is to be. */
export interface SmtpServerOptions {
  /** Default `none`. */
  readonly tls?: 'none' | 'starttls' | 'from-the-start'
  /** Asks for a login. */
  readonly user?: string
  readonly password?: string
  /** Default: any that is free. */
  readonly port?: number
  readonly certificate?: Certificate
}

/** A certificate for `localhost` and 127.0.0.1 that nobody has signed but itself. */
export interface Certificate extends Disposable {
  /** To be trusted. */
  readonly pem: string
  readonly certificate: string
  readonly key: string
}

export function makeCertificate({ openssl }: PeerFacts['smtp']): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-smtp-'))
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')]
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
  ]
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync(openssl, [...made, ...names, '-keyout', key, '-out', certificate], { stdio: 'pipe' })
  return {
    pem: readFileSync(certificate, 'utf8'),
    certificate,
    key,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** A mail server in a process of its own, on 127.0.0.1. */
export interface SmtpServer extends AsyncDisposable {
  readonly port: number
  /** What it has taken until now, in order. */
  messages(): Promise<readonly ReceivedMail[]>
  /** What became of each login until now. */
  logins(): Promise<readonly { readonly good: boolean; readonly tls: boolean }[]>
  /** From now on this is the answer to each message; null: they are taken again. */
  refuse(answer: string | null): Promise<void>
}

type Told =
  | { readonly event: 'listening'; readonly port: number }
  | { readonly event: 'ordered' }
  | { readonly event: 'login'; readonly good: boolean; readonly tls: boolean }
  | ({ readonly event: 'message' } & ReceivedMail)

/** Starts a server and waits until it listens. */
export async function startSmtpServer({ python }: PeerFacts['smtp'], options: SmtpServerOptions = {}): Promise<SmtpServer> {
  const { tls = 'none', port = 0, user, password, certificate } = options
  const child = spawn(python, ['-I', script], { stdio: ['pipe', 'pipe', 'pipe'] })
  const files = { certificate: certificate?.certificate, key: certificate?.key }
  child.stdin.write(`${JSON.stringify({ port, tls, user, password, ...files })}\n`)
  const messages: ReceivedMail[] = []
  const logins: { good: boolean; tls: boolean }[] = []
  const waiting: ((told: Told) => void)[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const told: Told = JSON.parse(line)
    if (told.event === 'message') messages.push({ ...told, raw: Buffer.from(told.raw, 'base64').toString('utf8') })
    else if (told.event === 'login') logins.push(told)
    else waiting.shift()?.(told)
  })
  const answer = () => answerOf(child, waiting)
  // Its lines come in order: with the answer to an order, everything that it told before has been read.
  const order = async (what: object) => {
    const ordered = answer()
    child.stdin.write(`${JSON.stringify(what)}\n`)
    await ordered
  }
  const first = await answer()
  return {
    port: first.event === 'listening' ? first.port : 0,
    messages: () => order({}).then(() => messages),
    logins: () => order({}).then(() => logins),
    refuse: (refusal) => order({ refusal }),
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Its next answer; rejects with what it wrote if it ends before. */
async function answerOf(child: ChildProcess, waiting: ((told: Told) => void)[]): Promise<Told> {
  const { promise, resolve, reject } = Promise.withResolvers<Told>()
  let said = ''
  const hear = (part: Buffer) => {
    said += part.toString('utf8')
  }
  const ended = () => reject(new Error(`the mail server has ended: ${said}`))
  child.stderr?.on('data', hear)
  child.once('close', ended)
  waiting.push(resolve)
  try {
    return await promise
  } finally {
    child.stderr?.off('data', hear)
    child.off('close', ended)
  }
}
