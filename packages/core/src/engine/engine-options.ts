import { isAbsolute } from 'node:path'
import { systemClock } from '../clock.ts'
import { randomIds } from '../ids.ts'
import { silentLogger } from '../logger.ts'
import { HoldfastError } from '../spec/errors.ts'
import { invalidOptions, type OptionsMistake, showValue, unknownKeys } from '../spec/helpers/index.ts'
import { createScratch } from '../transfer/index.ts'
import type { EngineOptions } from './engine.ts'
import { createEventHub } from './events.ts'
import { createClockWatch } from './health/clock-watch.ts'
import { watchNotifier } from './health/notifier-watch.ts'
import type { EngineParts, Identity } from './parts.ts'
import { badPlugIns } from './plug-in-shapes.ts'

const hour = 3_600_000
/** Durations and counts with their defaults; each must be above zero. */
const numbers = {
  leaseMs: 30_000,
  graceMs: 24 * hour,
  stallMs: 120_000,
  cleanUpMs: hour / 4,
  concurrency: 4,
  healthEveryMs: 30_000,
  nodeStaleMs: 120_000,
  nodeForgetMs: 7 * 24 * hour,
} as const
/** No time server steps so far, and no retention is so fine. */
const clockToleranceMs = hour / 12
/** Renewed at a third of it: below, one slow write to the disk would lose every run. */
const shortestLeaseMs = 100
/** Milliseconds of 100 years: a time after it cannot be reckoned with. */
const longest = 100 * 365 * 24 * hour
const wholeNumbers: ReadonlySet<string> = new Set(['concurrency', 'retry.maxFailures'])
const retryNumbers = { maxFailures: 3, delayMs: 10_000 } as const
const required = ['name', 'store', 'repositories', 'providers'] as const
const optional = [
  'system',
  'plans',
  'notifiers',
  'scheduler',
  'logger',
  'clock',
  'ids',
  'retry',
  'limits',
  'bytesPerSecond',
  'hostName',
  'scratch',
] as const
/** Unlike `/tmp` it is on a disk everywhere. */
const scratchFolder = '/var/tmp'
const subject = 'createEngine'

/** Fills in defaults. Throws INVALID_OPTIONS with the path of each mistake. */
export function parseEngineOptions(options: EngineOptions): {
  readonly parts: EngineParts
  setIdentity(identity: Identity): void
  /** Aborts `parts.gone`. */
  abandon(reason: unknown): void
} {
  if (typeof options !== 'object' || options === null) throw invalidOptions(subject, unknownKeys(options, []))
  const mistakes = mistakesIn(options)
  if (mistakes.length > 0) throw invalidOptions(subject, mistakes)
  let identity: Identity | undefined
  const gone = new AbortController()
  const { clock = systemClock, ids = randomIds, logger = silentLogger } = options
  const parts: EngineParts = {
    name: options.name,
    system: options.system ?? options.name,
    workerId: `${options.name}-${ids.next()}`,
    store: options.store,
    repositories: new Map(Object.entries(options.repositories)),
    providers: new Map(Object.entries(options.providers)),
    notifiers: new Map(Object.entries(options.notifiers ?? {}).map(([name, notifier]) => [name, watchNotifier(notifier, clock)])),
    clock,
    clockWatch: createClockWatch(clock, clockToleranceMs),
    ids,
    logger,
    events: createEventHub(logger),
    leaseMs: options.leaseMs ?? numbers.leaseMs,
    graceMs: options.graceMs ?? numbers.graceMs,
    stallMs: options.stallMs ?? numbers.stallMs,
    cleanUpMs: options.cleanUpMs ?? numbers.cleanUpMs,
    healthEveryMs: options.healthEveryMs ?? numbers.healthEveryMs,
    nodeStaleMs: options.nodeStaleMs ?? numbers.nodeStaleMs,
    nodeForgetMs: options.nodeForgetMs ?? numbers.nodeForgetMs,
    ...(options.hostName !== undefined && { hostName: options.hostName }),
    retry: { ...retryNumbers, ...options.retry },
    concurrency: options.concurrency ?? numbers.concurrency,
    limits: { providers: {}, repositories: {}, ...options.limits },
    ...(options.bytesPerSecond !== undefined && { bytesPerSecond: options.bytesPerSecond }),
    scratch: createScratch({ folder: options.scratch ?? scratchFolder, ids }),
    meters: new Map(),
    holds: new Map(),
    cancels: new Map(),
    claimed: new Set(),
    durable: new Set(),
    recognised: new Map(),
    codePlans: { areStored: false },
    gone: gone.signal,
    identity() {
      if (!identity) throw new HoldfastError('INTERNAL', 'The store is not open yet.')
      return identity
    },
  }
  return {
    parts,
    setIdentity(known) {
      identity = known
    },
    abandon: (reason) => gone.abort(reason),
  }
}

function mistakesIn(options: EngineOptions): readonly OptionsMistake[] {
  const plugIns = badPlugIns(options as unknown as { readonly [option: string]: unknown })
  // In place of names there may be anything then.
  const names = plugIns.length > 0 ? [] : [...badNames(options), ...badLimits(options)]
  return [...strangeKeys(options), ...missingKeys(options), ...badNumbers(options), ...badScratch(options), ...plugIns, ...names]
}

function strangeKeys(options: EngineOptions): readonly OptionsMistake[] {
  const inRetry = unknownKeys(options.retry ?? {}, Object.keys(retryNumbers))
  return [
    ...unknownKeys(options, [...required, ...optional, ...Object.keys(numbers)]),
    ...inRetry.map((mistake) => ({ ...mistake, path: mistake.path === '' ? 'retry' : `retry.${mistake.path}` })),
  ]
}

function missingKeys(options: EngineOptions): readonly OptionsMistake[] {
  return required.filter((key) => options[key] === undefined).map((path) => ({ path, problem: 'is missing' }))
}

function badNumbers(options: EngineOptions): readonly OptionsMistake[] {
  const given: readonly (readonly [string, unknown])[] = [
    ...Object.keys(numbers).map((key) => [key, options[key as keyof typeof numbers]] as const),
    ...Object.keys(retryNumbers).map((key) => [`retry.${key}`, options.retry?.[key as keyof typeof retryNumbers]] as const),
    ['bytesPerSecond', options.bytesPerSecond],
  ]
  return given.flatMap(([path, value]) => {
    if (path === 'leaseMs' && typeof value === 'number' && value > 0 && value < shortestLeaseMs)
      return [{ path, problem: `is ${value}; expected at least ${shortestLeaseMs}, or runs are lost before they are renewed` }]
    if (value === undefined) return []
    if (!(typeof value === 'number' && value > 0)) return [{ path, problem: `is ${showValue(value)}; expected a number above 0` }]
    if (value > longest || (wholeNumbers.has(path) && !Number.isInteger(value)))
      return [{ path, problem: `is ${value}; expected a whole number of at most ${longest}` }]
    return []
  })
}

function badScratch({ scratch }: EngineOptions): readonly OptionsMistake[] {
  if (scratch === undefined || (typeof scratch === 'string' && isAbsolute(scratch))) return []
  return [{ path: 'scratch', problem: `is ${showValue(scratch)}; expected the absolute path of a local folder` }]
}

const isName = (name: unknown): boolean => typeof name === 'string' && /^[a-z0-9][a-z0-9-]{0,62}$/.test(name)
const rule = 'use at most 63 lower-case letters, digits and hyphens, and begin with a letter or digit'

/** Names of plug-ins appear in keys and paths: the first slash of `<provider>/<id>` must part them. */
function badNames(options: EngineOptions): readonly OptionsMistake[] {
  const ofPlugIns = (['repositories', 'providers', 'notifiers'] as const).flatMap((kind) =>
    Object.keys(options[kind] ?? {})
      .filter((name) => !isName(name))
      .map((name) => ({ path: `${kind}.${name}`, problem: `is not a name: ${rule}` })),
  )
  if (options.name === undefined || isName(options.name)) return ofPlugIns
  return [{ path: 'name', problem: `is ${showValue(options.name)}: ${rule}` }, ...ofPlugIns]
}

/** A limit on a name that does not exist would limit nothing, and nobody would miss it. */
function badLimits(options: EngineOptions): readonly OptionsMistake[] {
  const strange = unknownKeys(options.limits ?? {}, ['providers', 'repositories'])
  const wrong = (['providers', 'repositories'] as const).flatMap((kind) =>
    Object.entries(options.limits?.[kind] ?? {}).flatMap(([name, limit]): OptionsMistake[] => {
      const path = `limits.${kind}.${name}`
      if (!Object.hasOwn(options[kind] ?? {}, name)) return [{ path, problem: `is the name of none of the ${kind}` }]
      return Number.isInteger(limit) && limit > 0 ? [] : [{ path, problem: `is ${showValue(limit)}; expected a whole number above 0` }]
    }),
  )
  return [...strange.map((mistake) => ({ ...mistake, path: `limits.${mistake.path}` })), ...wrong]
}
