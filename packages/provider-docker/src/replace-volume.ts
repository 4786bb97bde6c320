import { type CallOptions, HoldfastError, type Mark, type RestoreResult, type RunContext, type StoredFile } from '@holdfast/core/spec'
import type { Container } from './engine-answers.ts'
import { type EngineClient, mountName } from './engine-client.ts'
import { fillNewVolume } from './fill-volume.ts'
import {
  containerName,
  createHelper,
  ensureImage,
  type HelperPlan,
  helperNames,
  helpersOf,
  isActive,
  mounts,
  removeImages,
  usersOf,
} from './helper.ts'
import { requireVolume } from './inventory.ts'
import { accidentLabel, attemptName, carriesMark, helperName, readLabel, refillLabel, unfinishedLabel } from './mark-labels.ts'
import type { RestoreOptions } from './options.ts'
import { sameContent, scanned, summarize, type TarSummary } from './tar-scan.ts'
import { isInMemory } from './volume-description.ts'
import { tarOfOneFile } from './wipe-archive.ts'

/**
 * In place of an existing volume: a fresh volume is filled from the repository and read back first. Only then the target is emptied and the
 * fresh one copied into it, from engine to engine. Docker cannot rename a volume; so from the intent `refill-volume` on, undo goes forward:
 * it finishes the copy from the fresh volume. The target keeps its driver, options and labels.
 */
export async function replaceVolume(
  client: EngineClient,
  target: string,
  archive: StoredFile,
  options: RestoreOptions,
  run: RunContext,
): Promise<RestoreResult> {
  const volume = await requireVolume(client, target, run)
  if (isInMemory(volume))
    throw new HoldfastError('UNSUPPORTED', `Volume ${target} lives in memory (type=tmpfs).`, { remedy: 'Restore under a new name.' })
  const unusable = Object.entries({ driver: options.driver, driverOptions: options.driverOptions, labels: options.labels }).find(
    ([, value]) => value !== undefined,
  )
  if (unusable)
    throw new HoldfastError(
      'INVALID_OPTIONS',
      `options.${unusable[0]}: volume ${target} is kept and refilled, so it cannot get another ${unusable[0]}.`,
    )
  await refuseRunning(client, target, run)
  const from = `${target}-${attemptName(run.mark)}`
  const fresh = await makeFresh(client, from, archive, run)
  await refuseRunning(client, target, run)
  const refill = await run.intend('refill-volume', { from, to: target })
  await refillVolume(client, run.mark, from, target, (text) => run.step(text), run)
  // Early, so that whoever uses the volume from now on is never refilled again: undo finds nothing to copy from.
  await fresh.undo()
  refill.keep()
  return { workload: target }
}

async function makeFresh(client: EngineClient, from: string, archive: StoredFile, run: RunContext): Promise<{ undo(): Promise<void> }> {
  const spec = { name: from, driver: 'local', options: {}, labels: { [unfinishedLabel]: 'true' } }
  const plan: HelperPlan = { role: 'fill', volume: from, readOnly: false, filling: from }
  const fresh = await fillNewVolume(client, spec, plan, archive, true, run)
  run.step(`reading volume ${from} back`)
  const check: HelperPlan = { role: 'check', volume: from, readOnly: true, filling: from }
  const helper = await run.intend('remove-helper', { ...helperNames(run.mark, check) })
  await ensureImage(client, run.mark, check, run)
  const container = await createHelper(client, run.mark, check, run)
  const seen = await summarize(await client.readArchive(container, from, run), { contents: true })
  requireSame(fresh.summary, seen, from)
  await helper.undo()
  return fresh
}

/** What a crash left of a replacement. Fresh volume gone: it was finished. */
export async function finishRefill(client: EngineClient, mark: Mark, from: string, to: string, options: CallOptions): Promise<void> {
  const fresh = await client.inspectVolume(from, options)
  if (!fresh || !carriesMark(fresh.Labels, mark)) return
  // The target was removed meanwhile: there is nothing to finish, and making it anew would be a surprise.
  if (!(await client.inspectVolume(to, options))) return
  await refuseRunning(client, to, options)
  await refillVolume(client, mark, from, to, () => {}, options)
}

/** True while a replacement from this volume has begun to empty its target and not ended: then the volume is the only good copy here. */
export async function isRefilling(client: EngineClient, mark: Mark, options: CallOptions): Promise<boolean> {
  return (await helpersOf(client, mark, options)).some((container) => readLabel(container.Labels, refillLabel) !== undefined)
}

async function refillVolume(
  client: EngineClient,
  mark: Mark,
  from: string,
  to: string,
  step: (text: string) => void,
  options: CallOptions,
): Promise<void> {
  const { source, target, begun } = await freshHelpers(client, mark, from, to, options)
  await refuseRunning(client, to, options).catch(async (error: unknown) => {
    // Nothing was emptied yet: without its helper the refill has not begun, and undo removes the fresh volume instead of going on.
    if (!begun) await client.removeContainer(target, options)
    throw error
  })
  step(`emptying volume ${to}`)
  await wipe(client, target, to, options)
  step(`copying volume ${from} to ${to}`)
  const copied = await copy(client, source, target, from, to, options)
  requireSame(copied, await summarize(await client.readArchive(target, to, options), { contents: true }), to)
  await client.removeContainer(source, options)
  await client.removeContainer(target, options)
  await removeImages(client, mark, options)
}

/** New helpers first, then those of an earlier, perhaps frozen, try go: whoever held those can do nothing more, and the volume is never without one. */
async function freshHelpers(
  client: EngineClient,
  mark: Mark,
  from: string,
  to: string,
  options: CallOptions,
): Promise<{ readonly source: string; readonly target: string; readonly begun: boolean }> {
  const before = await helpersOf(client, mark, options)
  const taken = new Set(before.map(containerName))
  const free = (suffix: string): boolean => ['from', 'to'].every((role) => !taken.has(helperName(mark, role + suffix)))
  const suffix = ['', '-2', '-3'].find(free) ?? '-4'
  const toPlan: HelperPlan = { role: `to${suffix}`, volume: to, readOnly: false, filling: from, refill: to }
  const fromPlan: HelperPlan = { role: `from${suffix}`, volume: from, readOnly: true, filling: from }
  await ensureImage(client, mark, { ...fromPlan, role: 'image' }, options)
  const target = await createHelper(client, mark, toPlan, options)
  const source = await createHelper(client, mark, fromPlan, options)
  for (const old of before) if (mounts(old, from) || mounts(old, to)) await client.removeContainer(old.Id, options)
  const fresh = await client.inspectVolume(from, options)
  if (!fresh || !carriesMark(fresh.Labels, mark) || fresh.Labels?.[accidentLabel] !== undefined) throw vanished(from, to)
  const kept = await client.inspectVolume(to, options)
  if (!kept || carriesMark(kept.Labels, mark)) throw vanished(to, to)
  return { source, target, begun: before.some((container) => readLabel(container.Labels, refillLabel) !== undefined) }
}

function vanished(volume: string, target: string): HoldfastError {
  return new HoldfastError('NOT_FOUND', `Volume ${volume} was removed while ${target} was being refilled.`)
}

/**
 * The engine empties a folder when a file of its name is unpacked over it, then fails because the folder is a mount point (measured on Engine
 * 20.10.24; documented nowhere). So its answer means nothing: what counts is that the volume is empty when it is read afterwards.
 */
async function wipe(client: EngineClient, target: string, to: string, options: CallOptions): Promise<void> {
  const answer = await client.writeArchive(target, to, [tarOfOneFile(mountName)], options).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (options.signal.aborted) throw answer
  const left = await summarize(await client.readArchive(target, to, options), { contents: false })
  if (left.entries === 1) return
  throw new HoldfastError('PROVIDER_FAILED', `Volume ${to} could not be emptied: ${left.entries - 1} entries are left.`, {
    cause: answer,
    remedy:
      'Look for files that cannot be deleted (chattr +i, a mount inside the volume). The undo of this run goes on when they are gone.',
  })
}

async function copy(
  client: EngineClient,
  source: string,
  target: string,
  from: string,
  to: string,
  options: CallOptions,
): Promise<TarSummary> {
  const bytes = await client.readArchive(source, from, options)
  const seen: { summary?: TarSummary } = {}
  try {
    await client.writeArchive(
      target,
      to,
      scanned(bytes, {
        contents: true,
        onEnd: (summary) => {
          seen.summary = summary
        },
      }),
      options,
    )
  } finally {
    await bytes[Symbol.asyncDispose]()
  }
  if (!seen.summary) throw new HoldfastError('PROVIDER_FAILED', `The engine stopped reading before all of volume ${to} had been sent.`)
  return seen.summary
}

function requireSame(sent: TarSummary, seen: TarSummary, volume: string): void {
  if (sameContent(sent, seen)) return
  const counts = (summary: TarSummary): string => `${summary.entries} entries, ${summary.bytes} bytes`
  throw new HoldfastError(
    'CHECKSUM_MISMATCH',
    `Volume ${volume} does not hold what was sent: sent ${counts(sent)}, found ${counts(seen)}.`,
    {
      remedy: 'Look at the disk and the file system of the Docker host, then try again.',
      retryable: true,
    },
  )
}

async function refuseRunning(client: EngineClient, volume: string, options: CallOptions): Promise<void> {
  const active = (await usersOf(client, volume, options)).filter((container: Container) => isActive(container)).map(containerName)
  if (active.length === 0) return
  throw new HoldfastError(
    'IN_USE',
    `Volume ${volume} is used by ${active.length === 1 ? 'container' : 'containers'} ${active.join(', ')}.`,
    {
      remedy: `Stop ${active.join(', ')}, or restore under a new name.`,
      details: { volume, containers: active },
    },
  )
}
