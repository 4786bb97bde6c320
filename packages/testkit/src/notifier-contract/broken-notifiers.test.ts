import type { Notification, Notifier } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { collectingRunner } from '../collecting-runner.ts'
import { notifierContract } from './notifier-contract.ts'

const secret = 'canary-password'
type Wire = (line: string) => void
const line = ({ id, at, severity, text }: Notification) => JSON.stringify([id, at, severity, text])

/** Nobody hears of what fails later. */
function wireQuietly(wire: Wire, message: string): void {
  try {
    wire(message)
  } catch {}
}

/** Each breaks one promise of a notifier that keeps all others. */
const broken: { readonly [mistake: string]: { readonly caughtBy: string; readonly send: (wire: Wire) => Notifier['send'] } } = {
  'swallows the error of the receiver': {
    caughtBy: 'rejects when the receiver refuses',
    send:
      (wire) =>
      async (notification, { signal }) => {
        signal.throwIfAborted()
        try {
          wire(line(notification))
        } catch {}
      },
  },
  'ignores the signal': {
    caughtBy: 'rejects when the signal is aborted',
    send: (wire) => async (notification) => wire(line(notification)),
  },
  'lets a text forge a line': {
    caughtBy: 'a text of several lines stays one message',
    send:
      (wire) =>
      async ({ id, severity, text }, { signal }) => {
        signal.throwIfAborted()
        wire(`${id} ${severity}\n${text}`)
      },
  },
  'says every severity the same way': {
    caughtBy: 'tells the severities apart',
    send:
      (wire) =>
      async (notification, { signal }) => {
        signal.throwIfAborted()
        wire(line({ ...notification, severity: 'info' }))
      },
  },
  'loses the id': {
    caughtBy: 'sends the same id again',
    send:
      (wire) =>
      async (notification, { signal }) => {
        signal.throwIfAborted()
        wire(line({ ...notification, id: '' }))
      },
  },
  'delivers only one at a time and drops the rest': {
    caughtBy: 'delivers every one of several at once',
    send: (wire) => {
      let busy = false
      return async (notification, { signal }) => {
        signal.throwIfAborted()
        if (busy) return
        busy = true
        await Promise.resolve()
        wire(line(notification))
        busy = false
      }
    },
  },
  'prints its password': {
    caughtBy: 'keeps its secrets',
    send:
      (wire) =>
      async (notification, { signal }) => {
        signal.throwIfAborted()
        wire(`${line(notification)} sent by smtp://user:${secret}@mail`)
      },
  },
  'resolves before it has delivered': {
    caughtBy: 'has delivered one message',
    send:
      (wire) =>
      async (notification, { signal }) => {
        signal.throwIfAborted()
        setTimeout(() => wireQuietly(wire, line(notification)), 1)
      },
  },
}

describe('the notifier suite catches a notifier that', () => {
  for (const [mistake, { caughtBy, send }] of Object.entries(broken)) {
    it(mistake, async () => {
      const { runner, results } = collectingRunner()
      notifierContract({
        ...runner,
        secrets: [secret],
        async create() {
          const messages: string[] = []
          let refuses = false
          const wire = (message: string) => {
            if (refuses) throw new Error('refused')
            messages.push(message)
          }
          const notifier: Notifier = { specVersion: 1, kind: 'broken', send: send(wire), async [Symbol.asyncDispose]() {} }
          return {
            notifier,
            received: async () => [...messages],
            refuse: () => {
              refuses = true
            },
          }
        },
      })
      const failed = (await results()).filter(({ error }) => error !== undefined).map(({ name }) => name)
      expect(
        failed.some((name) => name.includes(caughtBy)),
        `caught by: ${failed.join('; ') || 'nothing'}`,
      ).toBe(true)
    })
  }
})
