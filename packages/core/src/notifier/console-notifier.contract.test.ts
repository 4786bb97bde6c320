import { notifierContract } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { consoleNotifier } from './console-notifier.ts'

notifierContract({
  describe,
  it,
  identifies: false,
  async create() {
    const lines: string[] = []
    let refused = false
    const write = (line: string) => {
      if (refused) throw new Error('the terminal is gone')
      lines.push(line)
    }
    return {
      notifier: consoleNotifier({ write }),
      received: async () => [...lines],
      refuse() {
        refused = true
      },
    }
  },
})

it('writes one line, whatever the text holds', async () => {
  const lines: string[] = []
  const notification = {
    id: 'n',
    at: '2026-11-20T02:30:00.000Z',
    severity: 'error',
    type: 't',
    text: 'first\nsecond\u2028third',
    data: null,
  } as const
  await consoleNotifier({ write: (line) => lines.push(line) }).send(notification, { signal: new AbortController().signal })
  expect(lines).toEqual(['2026-11-20T02:30:00.000Z error   first second third'])
})
