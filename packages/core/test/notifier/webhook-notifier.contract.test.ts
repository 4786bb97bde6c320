import { webhookNotifier } from '@holdfast/core'
import { notifierContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { hastyClock, webhookReceiver } from './webhook-receiver.ts'

const secret = 'canary-secret-of-the-webhook'

for (const format of ['json', 'slack'] as const)
  describe(`webhook, ${format}`, () => {
    notifierContract({
      describe,
      it,
      secrets: [secret, 'canary-path', 'canary-header'],
      async create() {
        const receiver = await webhookReceiver()
        const url = `${receiver.origin}/services/canary-path`
        const headers = { authorization: 'Bearer canary-header' }
        return {
          notifier: webhookNotifier({ url, secret, format, headers, clock: hastyClock() }),
          received: async () => receiver.taken.map((request) => `holdfast-id: ${request.headers['holdfast-id']}\n${request.body}`),
          refuse: () => receiver.answer(() => ({ status: 503 })),
          [Symbol.asyncDispose]: () => receiver.close(),
        }
      },
    })
  })
