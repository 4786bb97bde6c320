import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Agent, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { webhookNotifier } from '@holdfast/core'
import { HoldfastError, type Notification } from '@holdfast/core/spec'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeCertificate } from '../../../../scripts/peers/smtp-server.ts'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import { hastyClock, webhookReceiver } from './webhook-receiver.ts'

const secret = 'a-secret-that-both-sides-know'
const notification: Notification = {
  id: 'run-1/2/run-failed',
  at: '2026-11-20T02:30:00.000Z',
  severity: 'error',
  type: 'run-failed',
  text: 'Backup of docker/shop-db failed: „Büro“ <!channel> & more',
  data: { run: 'run-1', plan: 'nightly' },
}
const signal = new AbortController().signal
let receiver: Awaited<ReturnType<typeof webhookReceiver>>
beforeEach(async () => {
  receiver = await webhookReceiver()
})
afterEach(() => receiver.close())

const failure = async (sending: Promise<void>): Promise<HoldfastError> => {
  const error = await sending.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!HoldfastError.isInstance(error)) throw new Error(`not a HoldfastError: ${String(error)}`)
  return error
}

describe('a webhook', () => {
  it('is the notification as JSON, with its id and what sends it', async () => {
    await webhookNotifier({ url: `${receiver.origin}/hook?a=b`, headers: { 'x-team': 'ops' } }).send(notification, { signal })
    const [request] = receiver.taken
    expect(request).toMatchObject({
      method: 'POST',
      path: '/hook?a=b',
      headers: { 'content-type': 'application/json', 'holdfast-id': notification.id, 'x-team': 'ops' },
    })
    expect(request?.headers['user-agent']).toMatch(/^holdfast\//)
    expect(request?.headers).not.toHaveProperty('holdfast-signature')
    expect(JSON.parse(request?.body ?? '')).toEqual({ specVersion: 1, ...notification })
  })

  it('takes an id that no header can hold', async () => {
    await webhookNotifier({ url: receiver.origin }).send({ ...notification, id: 'Büro/50%\r\nx: y' }, { signal })
    expect(decodeURIComponent(String(receiver.taken[0]?.headers['holdfast-id']))).toBe('Büro/50%\r\nx: y')
  })

  it('is signed with the time at which it is sent', async () => {
    const clock = hastyClock()
    await webhookNotifier({ url: receiver.origin, secret, clock }).send(notification, { signal })
    const { headers, body } = receiver.taken[0] ?? {}
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(headers?.['holdfast-signature'])) ?? []
    expect(signature).toBe(createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex'))
    expect(Math.abs(Number(seconds) - Date.now() / 1000)).toBeLessThan(60)
  })

  it('for Slack is one line that cannot call a channel, with the id to be told apart', async () => {
    const text = `${notification.text}\nsecond line ${'x'.repeat(5_000)}`
    await webhookNotifier({ url: receiver.origin, format: 'slack' }).send({ ...notification, text }, { signal })
    const message = JSON.parse(receiver.taken[0]?.body ?? '')
    expect(message.text).toMatch(/^ERROR: Backup of docker\/shop-db failed: „Büro“ &lt;!channel&gt; &amp; more second line xxx/)
    const [section, context] = message.blocks
    expect(section.text).toMatchObject({ type: 'plain_text', text: expect.stringContaining('<!channel> & more second line') })
    expect(section.text.text.length).toBe(3000)
    expect(context.elements[0].text).toBe('2026-11-20T02:30:00.000Z · run-failed · run-1/2/run-failed')
  })
})

describe('a receiver that does not take it', () => {
  it('is asked again after a refusal that may pass, with the same id, and then has it', async () => {
    receiver.answer((_, count) => ({ status: [500, 429][count - 1] ?? 200 }))
    const clock = hastyClock()
    await webhookNotifier({ url: receiver.origin, clock }).send(notification, { signal })
    expect(receiver.all.map(({ headers }) => headers['holdfast-id'])).toEqual([notification.id, notification.id, notification.id])
    expect(clock.slept).toEqual([1_000, 2_000])
  })

  it('is asked three times and no more, then it is said to be worth another try', async () => {
    receiver.answer(() => ({ status: 502 }))
    const error = await failure(webhookNotifier({ url: receiver.origin, clock: hastyClock() }).send(notification, { signal }))
    expect(receiver.all.length).toBe(3)
    expect(error).toMatchObject({ code: 'NOTIFIER_FAILED', retryable: true, details: { origin: receiver.origin, status: 502 } })
    expect(error.message).toBe(`The webhook at ${receiver.origin} answered 502; notification ${notification.id} was not taken.`)
  })

  it('gets the pause that it asks for', async () => {
    receiver.answer((_, count) => (count === 1 ? { status: 429, headers: { 'retry-after': '4' } } : { status: 200 }))
    const clock = hastyClock()
    await webhookNotifier({ url: receiver.origin, clock }).send(notification, { signal })
    expect(clock.slept).toEqual([4_000])
  })

  it('is not waited for when it asks for a long pause: the engine is told how long', async () => {
    const until = new Date(Math.floor(Date.now() / 1000) * 1000 + 120_000)
    for (const value of ['120', until.toUTCString()]) {
      receiver.answer(() => ({ status: 503, headers: { 'retry-after': value } }))
      const { details, retryable } = await failure(webhookNotifier({ url: receiver.origin }).send(notification, { signal }))
      const { retryAfterMs } = details as { readonly retryAfterMs: number }
      expect(retryable).toBe(true)
      expect(retryAfterMs).toBeGreaterThan(110_000)
      expect(retryAfterMs).toBeLessThanOrEqual(120_000)
    }
    expect(receiver.all.length).toBe(2)
  })

  it.each([400, 401, 403, 404, 410, 413])('is asked once when it answers %i: the same again would not help', async (status) => {
    receiver.answer(() => ({ status, headers: { 'retry-after': '1' }, body: 'no_service' }))
    const error = await failure(webhookNotifier({ url: receiver.origin }).send(notification, { signal }))
    expect(error).toMatchObject({ code: 'NOTIFIER_FAILED', retryable: false, details: { origin: receiver.origin, status } })
    expect(receiver.all.length).toBe(1)
  })

  it.each([301, 302, 307, 308])('is not followed when it answers with the redirect %i', async (status) => {
    const other = await webhookReceiver()
    receiver.answer(() => ({ status, headers: { location: `${other.origin}/elsewhere` } }))
    const error = await failure(webhookNotifier({ url: receiver.origin, secret }).send(notification, { signal }))
    expect(error).toMatchObject({ retryable: false, message: expect.stringContaining('redirect') })
    expect(other.all).toEqual([])
    await other.close()
  })

  it('is given up at the deadline when it says nothing', async () => {
    receiver.answer(() => ({ status: 200, how: 'silent' }))
    const error = await failure(
      webhookNotifier({ url: receiver.origin, timeoutMs: 150, clock: hastyClock(150) }).send(notification, { signal }),
    )
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('did not answer within 150 ms') })
    expect(receiver.all.length).toBe(3)
  })

  it('has taken it when the status says so, however long its answer is', async () => {
    receiver.answer(() => ({ status: 200, how: 'endless' }))
    await webhookNotifier({ url: receiver.origin }).send(notification, { signal })
    expect(receiver.all.length).toBe(1)
  })

  it('may break the connection, or not be there: the code says which', async () => {
    receiver.answer(() => ({ status: 200, how: 'broken' }))
    const notifier = webhookNotifier({ url: receiver.origin, clock: hastyClock() })
    const broken = await failure(notifier.send(notification, { signal }))
    expect(broken).toMatchObject({ retryable: true, message: expect.stringMatching(/could not be reached \([A-Z_]+\)/) })
    await receiver.close()
    const gone = await failure(notifier.send(notification, { signal }))
    expect(gone).toMatchObject({ retryable: true, message: expect.stringContaining('could not be reached (ECONNREFUSED)') })
  })

  it('is let go at once when the call is aborted', async () => {
    receiver.answer(() => ({ status: 200, how: 'silent' }))
    const aborter = new AbortController()
    const sending = webhookNotifier({ url: receiver.origin }).send(notification, { signal: aborter.signal })
    const rejected = expect(sending).rejects.toMatchObject({ code: 'ABORTED' })
    await expect.poll(() => receiver.all.length).toBe(1)
    aborter.abort()
    await rejected
  })
})

it('neither the address nor the secret nor a header is in an error, whatever the way to the receiver says', async () => {
  const url = 'https://hooks.example.org/services/canary-path?token=canary-query'
  const thrown = [
    Object.assign(new Error(`connect ${url}`, { cause: Object.assign(new Error(`below ${url}`), { code: 'ECONNRESET' }) }), { code: url }),
    new TypeError(`${secret} canary-header`),
  ]
  for (const reason of thrown) {
    const agent = new Agent()
    agent.createConnection = () => {
      throw reason
    }
    const headers = { authorization: 'canary-header' }
    const error = await failure(webhookNotifier({ url, secret, headers, agent, clock: hastyClock() }).send(notification, { signal }))
    const told = `${error.stack} ${JSON.stringify(error)} ${JSON.stringify(error.cause)} ${error.remedy}`
    for (const hidden of ['canary', secret, '/services']) expect(told).not.toContain(hidden)
    expect(error).toMatchObject({ retryable: true, message: expect.stringContaining('https://hooks.example.org could not be reached') })
  }
})

describeWithPeer('smtp', 'a webhook over TLS', (smtp) => {
  it('reaches whoever has a certificate that is trusted, and nobody else', async () => {
    using certificate = makeCertificate(smtp)
    const server = createServer({ cert: certificate.pem, key: await readFile(certificate.key) }, (_, response) => response.end())
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`
    try {
      const trusting = new Agent({ ca: certificate.pem })
      await webhookNotifier({ url, agent: trusting }).send(notification, { signal })
      trusting.destroy()
      const error = await failure(webhookNotifier({ url, clock: hastyClock() }).send(notification, { signal }))
      expect(error.message).toMatch(/could not be reached \([A-Z_]*SELF_SIGNED[A-Z_]*\)/)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})
