import { expect, it } from 'vitest'
import { HoldfastError } from '../spec/errors.ts'
import { webhookNotifier } from './webhook-notifier.ts'
import type { WebhookNotifierOptions } from './webhook-options.ts'

const mistake = (options: unknown): HoldfastError => {
  try {
    webhookNotifier(options as WebhookNotifierOptions)
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error
  }
  throw new Error('not refused')
}
const url = 'https://hooks.example.org/services/canary'

it.each([
  [undefined, 'the value is undefined'],
  ['https://hooks.example.org/services/canary', 'the value is a string; expected object'],
  [['https://hooks.example.org/services/canary'], 'url is missing'],
  [{}, 'url is missing'],
  [{ url: 'hooks.example.org/canary' }, 'url is not an https: address'],
  [{ url: 'ftp://hooks.example.org/canary' }, 'url is not an https: address'],
  [{ url: 'http://hooks.example.org/canary' }, 'url goes to "hooks.example.org" without encryption'],
  [{ url: 'https://user:canary@hooks.example.org/' }, 'url holds a user or password'],
  [{ url, headers: { 'x y': 'canary' } }, 'headers holds a name or a value'],
  [{ url, headers: { x: 'canary\r\ny: z' } }, 'headers holds a name or a value'],
  [{ url, headers: { 'Content-Type': 'canary' } }, 'headers holds content-type'],
  [{ url, headers: { 'Holdfast-Signature': 'canary' } }, 'headers holds holdfast-signature'],
  [{ url, secret: 'canary' }, 'secret is shorter than 16 characters'],
  [{ url, format: 'teams' }, 'format is "teams"; allowed: "json", "slack"'],
  [{ url, timeoutMs: 0 }, 'timeoutMs is 0'],
  [{ url, timeoutMs: Number.NaN }, 'timeoutMs is NaN'],
  [{ url, insecure: 'yes' }, 'insecure is "yes"'],
  [{ url, agent: 'canary' }, 'agent is no Agent'],
  [{ url, timeout: 5 }, 'timeout is not known here'],
])('%j is refused without showing what may be secret', (options, problem) => {
  const error = mistake(options)
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(problem) })
  expect(`${error.stack} ${JSON.stringify(error)}`.replaceAll(JSON.stringify(options), '')).not.toContain('canary')
})

it.each([
  'https://hooks.example.org/x',
  new URL('https://hooks.example.org/x'),
  'http://127.0.0.1:8080/',
  'http://[::1]/',
  'http://localhost/',
])('%s is taken', (address) => {
  expect(webhookNotifier({ url: address }).kind).toBe('webhook')
})

it('http to another host is taken when it is said to be insecure', () => {
  expect(webhookNotifier({ url: 'http://10.0.0.5/hook', insecure: true }).kind).toBe('webhook')
})
