import { type Clock, invalidOptions, type OptionsMistake, showValue, systemClock, unknownKeys } from '@holdfast/core/spec'

/** Settings of {@link emailNotifier}. User and password are never shown in an error. */
export interface EmailNotifierOptions {
  /** Name or address of the mail server. */
  readonly host: string
  /** 587 and 25 begin in clear text and change to TLS (STARTTLS); 465 is TLS from the start. */
  readonly port: number
  /** TLS from the start. Default: true for port 465. */
  readonly secure?: boolean
  /** Only together with `password`. */
  readonly user?: string
  readonly password?: string
  /** `backup@example.org` or `Backup <backup@example.org>`. */
  readonly from: string
  /** One or several, in the same form. */
  readonly to: string | readonly string[]
  /** Begins each subject. Default `[Holdfast]`. */
  readonly subjectPrefix?: string
  /** Deadline of one delivery, milliseconds. Default 20,000. */
  readonly timeoutMs?: number
  /** Certificates to trust instead of the usual ones, PEM. With them TLS is required on this host too. */
  readonly ca?: string
  /** Sends also without TLS, and over TLS whoever answers: whoever is in between reads it all, the password too. Default false. */
  readonly insecure?: boolean
  /** Default: the real one. */
  readonly clock?: Clock
}

/** Whose mailbox. */
export interface Mailbox {
  readonly name: string
  readonly address: string
}

/** The same, parsed. */
export interface EmailSettings {
  readonly host: string
  readonly port: number
  readonly secure: boolean
  /** Refuses to go on without TLS. */
  readonly requireTls: boolean
  /** Refuses a certificate that nobody trusted has signed. */
  readonly verify: boolean
  readonly ca?: string
  readonly login?: { readonly user: string; readonly password: string }
  readonly from: Mailbox
  readonly to: readonly Mailbox[]
  readonly subjectPrefix: string
  readonly timeoutMs: number
  readonly clock: Clock
}

const subject = 'emailNotifier'
const keys = ['host', 'port', 'secure', 'user', 'password', 'from', 'to', 'subjectPrefix', 'timeoutMs', 'ca', 'insecure', 'clock'] as const
const longestTimeoutMs = 3_600_000
const oneLineRule = 'expected one line of text'

/** Throws INVALID_OPTIONS with the path of each mistake, without user and password. */
export function parseEmailOptions(options: EmailNotifierOptions): EmailSettings {
  const unknown = unknownKeys(options, keys)
  if (typeof options !== 'object' || options === null) throw invalidOptions(subject, unknown)
  const mistakes: OptionsMistake[] = [...unknown, ...badValues(options), ...badLogin(options)]
  const from = parseMailbox(options.from, 'from', mistakes)
  const list = Array.isArray(options.to) ? (options.to as readonly string[]) : [options.to as string]
  if (list.length === 0) mistakes.push({ path: 'to', problem: 'is empty, so nobody would be told' })
  const to = list.flatMap((each, index) => parseMailbox(each, Array.isArray(options.to) ? `to[${index}]` : 'to', mistakes) ?? [])
  if (mistakes.length > 0 || !from) throw invalidOptions(subject, mistakes)
  const { host, port, secure = port === 465, user, password, ca, insecure = false } = options
  const { subjectPrefix = '[Holdfast]', timeoutMs = 20_000, clock = systemClock } = options
  // What stays on this host needs no secret; a certificate that was given is meant to be used.
  const near = isThisHost(host) && ca === undefined
  return {
    host,
    port,
    secure,
    requireTls: !secure && !insecure && !near,
    verify: !insecure && (secure || !near),
    ...(ca !== undefined && { ca }),
    ...(user !== undefined && password !== undefined && { login: { user, password } }),
    from,
    to,
    subjectPrefix,
    timeoutMs,
    clock,
  }
}

const isThisHost = (host: string): boolean => host.toLowerCase() === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** Parsed here and given on in parts: what is no address must not reach a header. */
function parseMailbox(value: unknown, path: string, mistakes: OptionsMistake[]): Mailbox | undefined {
  const match = isLine(value) ? /^(?:(?<name>[^<>]*?)\s*<(?<inside>[^<>]*)>|(?<plain>[^<>]*))$/.exec(value.trim()) : null
  const { name = '', inside, plain } = match?.groups ?? {}
  const address = inside ?? plain ?? ''
  if (/^[^\s<>@,;:"()[\]\\]+@[^\s<>@,;:"()[\]\\]+$/.test(address)) return { name: name.replace(/^"(.*)"$/, '$1'), address }
  const remedy = 'Write it like backup@example.org, or Backup <backup@example.org>; several to: as a list.'
  mistakes.push(
    value === undefined ? { path, problem: 'is missing' } : { path, problem: `is ${showValue(value)}, which is no address`, remedy },
  )
  return undefined
}

/** Without control characters: none may end a header early. */
const isLine = (value: unknown): value is string => typeof value === 'string' && !/[\p{Cc}\u2028\u2029]/u.test(value)

function badValues({ host, port, secure, subjectPrefix, timeoutMs, ca, insecure }: EmailNotifierOptions): readonly OptionsMistake[] {
  const mistakes: OptionsMistake[] = []
  if (host === undefined) mistakes.push({ path: 'host', problem: 'is missing' })
  else if (!isLine(host) || !/^[A-Za-z0-9.:_-]+$/.test(host))
    mistakes.push({ path: 'host', problem: `is ${showValue(host)}; expected the name or address of a host` })
  if (port === undefined) mistakes.push({ path: 'port', problem: 'is missing; usual are 587, 465 and 25' })
  else if (!Number.isInteger(port) || port < 1 || port > 65_535)
    mistakes.push({ path: 'port', problem: `is ${showValue(port)}; expected a whole number from 1 to 65535` })
  for (const [path, value] of Object.entries({ secure, insecure }))
    if (value !== undefined && typeof value !== 'boolean') mistakes.push({ path, problem: `is ${showValue(value)}; expected boolean` })
  if (subjectPrefix !== undefined && !isLine(subjectPrefix))
    mistakes.push({ path: 'subjectPrefix', problem: `is ${showValue(subjectPrefix)}; ${oneLineRule}` })
  if (timeoutMs !== undefined && !(Number.isFinite(timeoutMs) && timeoutMs > 0 && timeoutMs <= longestTimeoutMs))
    mistakes.push({ path: 'timeoutMs', problem: `is ${showValue(timeoutMs)}; expected milliseconds above 0, at most an hour` })
  if (ca !== undefined && (typeof ca !== 'string' || !ca.includes('-----BEGIN CERTIFICATE-----')))
    mistakes.push({ path: 'ca', problem: 'is not a certificate in PEM' })
  return mistakes
}

function badLogin({ user, password }: EmailNotifierOptions): readonly OptionsMistake[] {
  const mistakes: OptionsMistake[] = []
  if (user !== undefined && (!isLine(user) || user === '')) mistakes.push({ path: 'user', problem: `is not a name; ${oneLineRule}` })
  if (password !== undefined && (typeof password !== 'string' || password === '')) mistakes.push({ path: 'password', problem: 'is empty' })
  if ((user === undefined) !== (password === undefined)) {
    const [missing, given] = user === undefined ? ['user', 'password'] : ['password', 'user']
    mistakes.push({ path: missing, problem: `is missing, but ${given} is given` })
  }
  return mistakes
}
