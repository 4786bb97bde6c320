import assert from 'node:assert/strict'
import { HoldfastError, type Notification, type Notifier } from '@holdfast/core/spec'
import type { ContractRunner } from '../contract-runner.ts'
import { withinTime } from '../within-time.ts'

/** A notifier and what came out of it, made for one test. */
export interface NotifierUnderTest extends Partial<AsyncDisposable> {
  readonly notifier: Notifier
  /** Every message that was delivered, as the receiver got it, in order. */
  received(): Promise<readonly string[]>
  /** From now on the receiver refuses everything. */
  refuse(): void
}
/** What {@link notifierContract} needs: a test runner, and notifiers with a receiver behind them. */
export interface NotifierContractOptions extends ContractRunner {
  /** One notifier for each test, whose receiver has got nothing yet and accepts everything. The suite disposes the notifier, then what came with it. */
  create(): Promise<NotifierUnderTest>
  /** Does a message carry the notification's id, so that the receiver knows it again? Default true. */
  readonly identifies?: boolean
  /** Text given to the notifier that must never leave it. */
  readonly secrets?: readonly string[]
  /** How long real time one delivery may take, milliseconds. Default 5,000. */
  readonly soonMs?: number
}

type Tests = { readonly [name: string]: (fixture: NotifierUnderTest, options: NotifierContractOptions) => Promise<void> }
const options = { signal: new AbortController().signal }

/**
 * What every notifier must do, as tests. Delivery is at least once: a send that resolves has been delivered, one that was not rejects, and the
 * engine sends it again with the same id.
 *
 * @example
 * ```ts
 * notifierContract({ describe, it, create: async () => ({ notifier, received, refuse }) })
 * ```
 */
export function notifierContract(contract: NotifierContractOptions): void {
  contract.describe('notifier', () => {
    for (const [name, body] of Object.entries(tests)) contract.it(name, () => withNotifier(contract, body))
  })
}

async function withNotifier(contract: NotifierContractOptions, body: Tests[string]): Promise<void> {
  const fixture = await contract.create()
  try {
    await withinTime(body(fixture, contract), contract.soonMs ?? 5000, 'a delivery')
  } finally {
    await fixture.notifier[Symbol.asyncDispose]()
    await fixture[Symbol.asyncDispose]?.()
  }
}

function notification(change: Partial<Notification> = {}): Notification {
  const about = {
    at: '2026-11-20T02:30:00.000Z',
    severity: 'warning',
    type: 'run-failed',
    text: 'Backup of shop-db failed',
    data: { run: 'r1' },
  } as const
  return { id: 'contract-1', ...about, ...change }
}

/** The only message that is there. */
async function onlyMessage({ received }: NotifierUnderTest): Promise<string> {
  const messages = await received()
  assert.equal(messages.length, 1, `${messages.length} messages instead of one`)
  return messages[0] as string
}

const tests: Tests = {
  'declares version and kind': async ({ notifier }) => {
    assert.equal(notifier.specVersion, 1)
    assert.match(notifier.kind, /^[a-z0-9][a-z0-9-]*$/)
  },
  'has delivered one message with the text when send resolves': async (fixture) => {
    await fixture.notifier.send(notification(), options)
    assert.ok((await onlyMessage(fixture)).includes('Backup of shop-db failed'), 'the text is missing')
  },
  'tells the severities apart': async ({ notifier, received }) => {
    const severities = ['info', 'warning', 'error'] as const
    for (const [index, severity] of severities.entries()) await notifier.send(notification({ id: `contract-${index}`, severity }), options)
    const messages = (await received()).map((message) => message.replace(/contract-\d/, ''))
    assert.equal(new Set(messages).size, severities.length, 'messages of different severity look the same')
  },
  'sends the same id again when it is told to, and the receiver can tell': async ({ notifier, received }, { identifies = true }) => {
    await notifier.send(notification(), options)
    await notifier.send(notification(), options)
    const messages = await received()
    assert.ok(messages.length >= 1)
    if (identifies) for (const message of messages) assert.ok(message.includes('contract-1'), 'a message does not carry its id')
  },
  'delivers every one of several at once': async ({ notifier, received }) => {
    const texts = Array.from({ length: 8 }, (_, index) => `message number <${index}>`)
    await Promise.all(texts.map((text, index) => notifier.send(notification({ id: `contract-${index}`, text }), options)))
    const messages = await received()
    assert.equal(messages.length, texts.length)
    for (const text of texts)
      assert.ok(
        messages.some((message) => message.includes(text)),
        `"${text}" is missing`,
      )
  },
  'a text of several lines stays one message, and adds no line that looks like another one or like a header': async (fixture) => {
    await fixture.notifier.send(notification({ text: 'first\r\nBcc: all@example.org\n2026-11-20T02:30:00.000Z error forged' }), options)
    const lines = (await onlyMessage(fixture)).split(/\r?\n/)
    assert.ok(!lines.some((line) => /^(Bcc:|2026-11-20T02:30:00\.000Z error forged)/.test(line)), 'the text forged a line')
  },
  'takes any text: empty, long, any script': async ({ notifier, received }) => {
    const texts = ['', 'x'.repeat(20_000), 'Sicherung von „Büro“ fehlgeschlagen 備份失敗 🛟']
    for (const [index, text] of texts.entries()) await notifier.send(notification({ id: `contract-${index}`, text }), options)
    const messages = await received()
    assert.equal(messages.length, texts.length)
    assert.ok(messages[2]?.includes('備份失敗'), 'the text does not arrive as it was')
  },
  'rejects when the receiver refuses: the engine will send it again': async ({ notifier, refuse }) => {
    refuse()
    const error = await notifier.send(notification(), options).then(
      () => undefined,
      (reason: unknown) => reason,
    )
    assert.ok(HoldfastError.isInstance(error), 'a refused message does not reject with a HoldfastError')
    assert.equal(error.retryable, true, 'a refused message is not said to be worth another try')
  },
  'rejects when the signal is aborted, and delivers nothing': async ({ notifier, received }) => {
    await assert.rejects(
      notifier.send(notification(), { signal: AbortSignal.abort(new Error('aborted by the contract')) }),
      'send with an aborted signal',
    )
    assert.deepEqual(await received(), [])
  },
  'may be disposed of twice': async ({ notifier }) => {
    await notifier[Symbol.asyncDispose]()
    await notifier[Symbol.asyncDispose]()
  },
  'keeps its secrets, in messages and in errors': async ({ notifier, received, refuse }, { secrets = [] }) => {
    await notifier.send(notification(), options)
    refuse()
    const error = await notifier.send(notification({ id: 'contract-2' }), options).catch((reason: unknown) => reason)
    const said = error instanceof Error ? `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}` : ''
    for (const secret of secrets)
      assert.ok(![...(await received()), said].some((text) => text.includes(secret)), 'a secret left the notifier')
  },
}
