import { Agent } from 'node:http'
import { systemClock } from '../clock.ts'
import type { Clock } from '../spec/clock.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from '../spec/helpers/parse-options.ts'
import type { WebhookFormat } from './webhook-message.ts'

/** Settings of {@link webhookNotifier}. Address, headers and secret are never shown in an error or a log. */
export interface WebhookNotifierOptions {
  /** `https:`. `http:` only to this host itself, or with `insecure`. Without user and password: give them as an `authorization` header. */
  readonly url: string | URL
  /** Sent with each request, beside the notifier's own. */
  readonly headers?: { readonly [name: string]: string }
  /** Signs each request: header `holdfast-signature`. At least 16 characters. */
  readonly secret?: string
  /** `slack`: what Slack, Mattermost and Rocket.Chat take as an incoming webhook. Default `json`: the notification itself. */
  readonly format?: WebhookFormat
  /** Deadline of one request, milliseconds. Default 5,000. */
  readonly timeoutMs?: number
  /** Allows `http:` to another host: whoever is in between reads and changes it. Default false. */
  readonly insecure?: boolean
  /** Of `node:https` (of `node:http` for an `http:` address): to go through a proxy, or to trust another certificate. Default: the one of Node. */
  readonly agent?: Agent
  /** Default: the real one. */
  readonly clock?: Clock
}

/** The same, parsed. */
export interface WebhookSettings {
  readonly url: URL
  readonly headers: Headers
  readonly secret?: string
  readonly format: WebhookFormat
  readonly timeoutMs: number
  readonly agent?: Agent
  readonly clock: Clock
}

const keys = ['url', 'headers', 'secret', 'format', 'timeoutMs', 'insecure', 'agent', 'clock'] as const
const ownHeaders = ['content-type', 'content-length', 'host', 'user-agent', 'holdfast-id', 'holdfast-signature'] as const
const shortestSecret = 16
const longestTimeoutMs = 3_600_000

const bareAddress: OptionsMistake = {
  path: '',
  problem: 'is a string; expected object (it is not shown: it may be secret)',
  remedy: 'Give the address as webhookNotifier({ url }).',
}

/** Throws INVALID_OPTIONS with the path of each mistake, and without the values that must stay secret. */
export function parseWebhookOptions(options: WebhookNotifierOptions): WebhookSettings {
  if (typeof options === 'string') throw invalidOptions('webhookNotifier', [bareAddress])
  const unknown = unknownKeys(options, keys)
  if (typeof options !== 'object' || options === null) throw invalidOptions('webhookNotifier', unknown)
  const url = parseUrl(options)
  const headers = parseHeaders(options)
  const mistakes = [...unknown, ...mistakesOf(url), ...mistakesOf(headers), ...badValues(options)]
  if (mistakes.length > 0 || !(url instanceof URL) || !(headers instanceof Headers)) throw invalidOptions('webhookNotifier', mistakes)
  const { secret, format = 'json', timeoutMs = 5_000, agent, clock = systemClock } = options
  return { url, headers, ...(secret !== undefined && { secret }), format, timeoutMs, ...(agent && { agent }), clock }
}

const mistakesOf = (parsed: object): readonly OptionsMistake[] => ('problem' in parsed ? [parsed as OptionsMistake] : [])

/** The path of a Slack address is its password, so no mistake shows the address. */
function parseUrl({ url, insecure }: WebhookNotifierOptions): URL | OptionsMistake {
  const mistake = (problem: string, remedy?: string): OptionsMistake => ({ path: 'url', problem, ...(remedy !== undefined && { remedy }) })
  if (url === undefined) return mistake('is missing')
  const parsed = URL.canParse(String(url)) ? new URL(String(url)) : undefined
  if (!parsed || !['http:', 'https:'].includes(parsed.protocol))
    return mistake('is not an https: address (it is not shown: it may be secret)')
  if (parsed.username !== '' || parsed.password !== '') {
    const remedy = "Give them as headers: { authorization: 'Basic ...' }."
    return mistake('holds a user or password, which is not sent', remedy)
  }
  if (parsed.protocol === 'http:' && insecure !== true && !isThisHost(parsed.hostname)) {
    const remedy = 'Use https:, or insecure: true if nobody else can be on the way.'
    return mistake(`goes to ${showValue(parsed.hostname)} without encryption`, remedy)
  }
  return parsed
}

const isThisHost = (name: string): boolean => name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)

function parseHeaders({ headers = {} }: WebhookNotifierOptions): Headers | OptionsMistake {
  try {
    const parsed = new Headers(headers)
    const own = ownHeaders.find((name) => parsed.has(name))
    return own === undefined ? parsed : { path: 'headers', problem: `holds ${own}, which the notifier sets itself` }
  } catch {
    return { path: 'headers', problem: 'holds a name or a value that no header can have (values are not shown)' }
  }
}

function badValues({ secret, format, timeoutMs, insecure, agent }: WebhookNotifierOptions): readonly OptionsMistake[] {
  const mistakes: OptionsMistake[] = []
  if (secret !== undefined && (typeof secret !== 'string' || secret.length < shortestSecret))
    mistakes.push({ path: 'secret', problem: `is shorter than ${shortestSecret} characters`, remedy: 'Make one: openssl rand -hex 32' })
  if (format !== undefined && format !== 'json' && format !== 'slack')
    mistakes.push({ path: 'format', problem: `is ${showValue(format)}; allowed: "json", "slack"` })
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0 && timeoutMs <= longestTimeoutMs))
    mistakes.push({ path: 'timeoutMs', problem: `is ${showValue(timeoutMs)}; expected milliseconds above 0, at most an hour` })
  if (insecure !== undefined && typeof insecure !== 'boolean')
    mistakes.push({ path: 'insecure', problem: `is ${showValue(insecure)}; expected boolean` })
  if (agent !== undefined && !(agent instanceof Agent)) mistakes.push({ path: 'agent', problem: 'is no Agent of node:http or node:https' })
  return mistakes
}
