import type { CallOptions } from '../spec/blocks.ts'
import type { Clock, Ids } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { withDeadline } from '../spec/helpers/index.ts'
import type { Logger } from '../spec/logger.ts'
import type { Provider } from '../spec/provider.ts'
import type { Repository } from '../spec/repository.ts'
import type { Store } from '../spec/store.ts'
import type { ProgressMeter, Scratch } from '../transfer/index.ts'
import type { EventHub } from './events.ts'
import type { ClockWatch } from './health/clock-watch.ts'
import type { WatchedNotifier } from './health/notifier-watch.ts'

/** How often a failed attempt is tried again, and how long the engine waits before: doubled each time, at most an hour. */
export interface RetryPolicy {
  /** Failures after which a run is `failed`. */
  readonly maxFailures: number
  /** Milliseconds before the second attempt. */
  readonly delayMs: number
}

/** How many runs may work at once on all nodes together; a name that is absent has no limit. */
export interface Limits {
  readonly providers: { readonly [name: string]: number }
  readonly repositories: { readonly [name: string]: number }
}

/** Who this store is; known once it is open. */
export interface Identity {
  readonly storeId: string
  readonly epoch: number
}

/** What every part of one engine shares. Made once by `createEngine`, passed by value. */
export interface EngineParts {
  readonly name: string
  readonly system: string
  readonly workerId: string
  readonly store: Store
  readonly repositories: ReadonlyMap<string, Repository>
  readonly providers: ReadonlyMap<string, Provider>
  readonly notifiers: ReadonlyMap<string, WatchedNotifier>
  readonly clock: Clock
  /** Asked before anything is deleted because of its age. */
  readonly clockWatch: ClockWatch
  readonly ids: Ids
  readonly logger: Logger
  readonly events: EventHub
  readonly leaseMs: number
  readonly graceMs: number
  readonly stallMs: number
  readonly cleanUpMs: number
  readonly healthEveryMs: number
  readonly nodeStaleMs: number
  readonly nodeForgetMs: number
  readonly hostName?: string
  readonly retry: RetryPolicy
  readonly concurrency: number
  readonly limits: Limits
  readonly bytesPerSecond?: number
  readonly scratch: Scratch
  /** Progress of the attempts that run in this process, by run id. */
  readonly meters: Map<string, ProgressMeter>
  /** Of the attempts that run in this process, by run id: renews the lease if it may have ended. */
  readonly holds: Map<string, (options: CallOptions) => Promise<void>>
  /** Of the same: ends the attempt because somebody has cancelled its run. */
  readonly cancels: Map<string, (reason: string) => void>
  /** Repositories whose `repository.json` this process has written. */
  readonly claimed: Set<string>
  /** Repositories of ours whose `repository.json` this process knows to be durable. */
  readonly durable: Set<string>
  /** Id of each repository that was found to be the one whose points the catalog knows. */
  readonly recognised: Map<string, string>
  /** Once the plans of this node's code are in the store, the store alone tells what fires: they may be changed or removed there. */
  readonly codePlans: { areStored: boolean }
  /** Aborts when the engine has stopped: whatever still runs in this process is given up as if the process had died. */
  readonly gone: AbortSignal
  identity(): Identity
}

export function repositoryNamed(parts: EngineParts, name: string): Repository {
  const repository = parts.repositories.get(name)
  if (!repository) throw unknownName('repository', name, parts.repositories.keys())
  return repository
}

export function providerNamed(parts: EngineParts, name: string): Provider {
  const provider = parts.providers.get(name)
  if (!provider) throw unknownName('provider', name, parts.providers.keys())
  return provider
}

function unknownName(kind: string, name: string, known: Iterable<string>): HoldfastError {
  const names = [...known].map((each) => `"${each}"`).join(', ') || 'none'
  return new HoldfastError('INVALID_OPTIONS', `There is no ${kind} named "${name}" in this engine. Known: ${names}.`, {
    remedy: `Use one of the names given to createEngine({ ... }), or add the ${kind} there.`,
  })
}

/**
 * Clean-up must not die of the reason that made it necessary: it gets a fresh signal with a deadline of its own. Rejects with TIMED_OUT when that is over.
 */
export async function cleanUp<Result>(parts: EngineParts, body: (options: CallOptions) => Promise<Result>): Promise<Result> {
  return await withDeadline({ signal: parts.gone, clock: parts.clock, milliseconds: parts.cleanUpMs, name: 'Clean-up' }, body)
}

/** What this node can do for a run, in the words of `RunRequest.needs`. */
export function offersOf(parts: EngineParts): readonly string[] {
  return [
    ...[...parts.providers.keys()].map((name) => `provider:${name}`),
    ...[...parts.repositories.keys()].map((name) => `repository:${name}`),
  ]
}
