import { systemClock } from '../clock.ts'
import { randomIds } from '../ids.ts'
import { silentLogger } from '../logger.ts'
import { parsePlanId } from '../model/plan.ts'
import { HoldfastError } from '../spec/errors.ts'
import { invalidOptions, nearest, type OptionsMistake, showValue } from '../spec/helpers/index.ts'
import type { EngineOptions } from './engine.ts'
import { createEventHub } from './events.ts'
import type { EngineParts, Identity } from './parts.ts'

const hour = 3_600_000
/** Durations and counts with their defaults; each must be above zero. */
const numbers = { leaseMs: 30_000, graceMs: 24 * hour, stallMs: 120_000, cleanUpMs: hour / 4, concurrency: 4 } as const
const retryNumbers = { maxFailures: 3, delayMs: 10_000 } as const
const required = ['name', 'store', 'repositories', 'providers'] as const
const optional = ['system', 'plans', 'notifiers', 'scheduler', 'logger', 'clock', 'ids', 'retry', 'bytesPerSecond'] as const
const subject = 'createEngine'

/** Fills in defaults. Throws INVALID_OPTIONS with the path of each mistake. */
export function parseEngineOptions(options: EngineOptions): {
  readonly parts: EngineParts
  setIdentity(identity: Identity): void
  /** Aborts `parts.gone`. */
  abandon(reason: unknown): void
} {
  const mistakes = [...unknownKeys(options), ...missingKeys(options), ...badNumbers(options), ...badNames(options)]
  if (mistakes.length > 0) throw invalidOptions(subject, mistakes)
  parsePlanId(options.name)
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
    notifiers: new Map(Object.entries(options.notifiers ?? {})),
    clock,
    ids,
    logger,
    events: createEventHub(logger),
    leaseMs: options.leaseMs ?? numbers.leaseMs,
    graceMs: options.graceMs ?? numbers.graceMs,
    stallMs: options.stallMs ?? numbers.stallMs,
    cleanUpMs: options.cleanUpMs ?? numbers.cleanUpMs,
    retry: { ...retryNumbers, ...options.retry },
    concurrency: options.concurrency ?? numbers.concurrency,
    ...(options.bytesPerSecond !== undefined && { bytesPerSecond: options.bytesPerSecond }),
    meters: new Map(),
    holds: new Map(),
    claimed: new Set(),
    recognised: new Map(),
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

function unknownKeys(options: EngineOptions): readonly OptionsMistake[] {
  const known = [...required, ...optional, ...Object.keys(numbers)]
  return Object.keys(options).flatMap((key) => {
    if (known.includes(key)) return []
    const meant = nearest(key, known)
    return [{ path: key, problem: 'is not an option', ...(meant !== undefined && { meant }) }]
  })
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
    if (value === undefined || (typeof value === 'number' && value > 0)) return []
    return [{ path, problem: `is ${showValue(value)}; expected a number above 0` }]
  })
}

/** Names of plug-ins appear in keys and paths: the first slash of `<provider>/<id>` must part them. */
function badNames(options: EngineOptions): readonly OptionsMistake[] {
  return (['repositories', 'providers', 'notifiers'] as const).flatMap((kind) =>
    Object.keys(options[kind] ?? {})
      .filter((name) => !/^[a-z0-9][a-z0-9-]*$/.test(name))
      .map((name) => ({ path: `${kind}.${name}`, problem: 'is not a name: use lower-case letters, digits and hyphens' })),
  )
}
