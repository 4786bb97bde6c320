import type { RepositoryFile } from '../model/repository-file.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Run } from '../spec/store.ts'
import { errorText } from './error-text.ts'
import { outboxEvent } from './notices/notices.ts'
import { type EngineParts, type Identity, offersOf, repositoryNamed } from './parts.ts'
import { readOwnership, requireOwnership, rolledBack, sameTwice, writeOwner } from './points/ownership.ts'
import { executeRun } from './runs/execute.ts'
import { keepOwnLeases } from './runs/hold.ts'
import { runRequest } from './runs/requests.ts'
import { sweep } from './sweep.ts'

/**
 * What `start` does before anything else. Resolves when each run that was running has been renewed by its owner or settled; then what nobody
 * will finish is swept away.
 */
export async function recover(parts: EngineParts, options: CallOptions): Promise<void> {
  await settleInterrupted(parts, options)
  for (const name of await sweep(parts, options)) {
    const message = `Repository "${name}" holds points that the catalog does not know: it is read again.`
    parts.logger.warn(message)
    parts.events.emit('warning', { code: 'CATALOG_BEHIND', message })
    await rescanNow(parts, name, parts.ids.next(), options)
  }
}

async function settleInterrupted(parts: EngineParts, options: CallOptions): Promise<void> {
  const offers = offersOf(parts)
  const waiting = new Map<string, Run>()
  for await (const run of parts.store.runs.list({ states: ['running'] }, options)) waiting.set(run.id, run)
  while (waiting.size > 0) {
    await keepOwnLeases(parts, options)
    const taken = await parts.store.runs.take(
      { id: parts.workerId, offers, only: [...waiting.keys()], holds: [...parts.holds.keys()] },
      parts.leaseMs,
      parts.concurrency,
      options,
    )
    for (const run of taken) {
      waiting.delete(run.id)
      await executeRun(parts, run, 'settle', options.signal)
    }
    for (const [id, before] of waiting) {
      const now = await parts.store.runs.get(id, options)
      if (now?.state !== 'running' || now.attempt !== before.attempt || (now.leaseUntil ?? 0) > (before.leaseUntil ?? 0)) waiting.delete(id)
      else if (!canSettle(now, offers)) waiting.delete(id)
      // `take` has cut a lease that was given by a clock that was ahead: from there on a renewal is seen.
      else waiting.set(id, now)
    }
    if (waiting.size > 0) await parts.clock.sleep(Math.max(20, parts.leaseMs / 6), options)
  }
}

/** A run that needs what this node does not have is another node's to settle. */
function canSettle(run: Run, offers: readonly string[]): boolean {
  return run.needs.every((need) => offers.includes(need))
}

/**
 * Writes store id and epoch into each repository that is ours, and creates `repository.json` where there is none. A repository that has seen a higher
 * epoch proves that the database was rolled back: then every repository of ours is read again before any run may start.
 */
export async function claimRepositories(
  parts: EngineParts,
  setIdentity: (identity: Identity) => void,
  options: CallOptions,
): Promise<void> {
  let seenEpoch = -1
  const ours: string[] = []
  const names = new Map<string, string>()
  let twice: HoldfastError | undefined
  for (const name of parts.repositories.keys()) {
    await unlessUnavailable(parts, name, async () => {
      const file = await claim(parts, name, options)
      if (!file) return
      const other = names.get(file.repositoryId)
      if (other !== undefined) twice = sameTwice(other, name, file.repositoryId)
      if (twice) return
      names.set(file.repositoryId, name)
      ours.push(name)
      if (await rolledBack(parts, name, file, setIdentity, options)) seenEpoch = Math.max(seenEpoch, file.epoch)
    })
  }
  if (twice) throw twice
  if (seenEpoch >= 0) {
    const message = 'The database is older than a repository: it was rolled back. All repositories are read again.'
    parts.logger.warn(message)
    parts.events.emit('warning', { code: 'DATABASE_ROLLED_BACK', message })
    const notice = { type: 'catalog-rolled-back', at: parts.clock.now(), text: message, data: { epoch: seenEpoch } } as const
    await parts.store.outbox.add([outboxEvent(`catalog-rolled-back/${seenEpoch}`, notice)], options)
    let complete = true
    for (const name of ours) if (!(await rescanNow(parts, name, `epoch-${parts.identity().epoch}`, options))) complete = false
    // Whoever starts next must find the same, and try again.
    if (!complete) return
    setIdentity(await parts.store.open({ ...options, above: seenEpoch }))
  }
  for (const name of ours) {
    await unlessUnavailable(parts, name, async () => {
      const ownership = await readOwnership(parts, name, options)
      if (ownership.state === 'ours') await writeOwner(parts, name, ownership.file, options)
    })
  }
}

/** The file of a repository that is ours, made if nobody has used it yet. */
async function claim(parts: EngineParts, name: string, options: CallOptions): Promise<RepositoryFile | undefined> {
  const ownership = await readOwnership(parts, name, options)
  if (ownership.state === 'new') return await requireOwnership(parts, name, options)
  if (ownership.state === 'ours') {
    // Whoever wrote it may have died before it was durable.
    await repositoryNamed(parts, name).sync('', options)
    return ownership.file
  }
  if (ownership.state === 'foreign') {
    const message = `Repository "${name}" is owned by another catalog, ${ownership.file.owner}: it is only read.`
    parts.logger.warn(message)
    parts.events.emit('warning', { code: 'FOREIGN_OWNER', message })
    return undefined
  }
  throw new HoldfastError('REPOSITORY_MISSING', `Repository "${name}" has no repository.json, but the catalog knows points in it.`)
}

/** One share that is not mounted must not keep the others from being protected; each operation asks again. */
async function unlessUnavailable(parts: EngineParts, name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    const message = `Repository "${name}" cannot be used now: ${error instanceof Error ? error.message : errorText(error)}`
    parts.logger.error(message)
    parts.events.emit('warning', { code: 'REPOSITORY_UNAVAILABLE', message, cause: error })
  }
}

/** False: it failed, which is told by its run and its notification. */
async function rescanNow(parts: EngineParts, repository: string, occasion: string, options: CallOptions): Promise<boolean> {
  const key = `rescan/${repository}/${occasion}`
  const request = runRequest(parts, key, { operation: 'rescan', repository })
  const [created] = await parts.store.runs.create([{ ...request, resources: [] }], options)
  if (!created) return false
  for (;;) {
    const worker = { id: parts.workerId, offers: [`repository:${repository}`], only: [created.run.id] }
    const [run] = await parts.store.runs.take(worker, parts.leaseMs, 1, options)
    if (run) await executeRun(parts, run, 'work', options.signal)
    const now = await parts.store.runs.get(created.run.id, options)
    if (!now || (now.state !== 'queued' && now.state !== 'running')) return now?.state === 'succeeded'
    await parts.clock.sleep(Math.max(20, parts.leaseMs / 6), options)
  }
}
