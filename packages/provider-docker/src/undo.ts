import { type CallOptions, HoldfastError, type Intent, type Mark } from '@holdfast/core/spec'
import type { EngineClient } from './engine-client.ts'
import { containerName, helpersOf, mounts, removeImages, removeOwnVolume } from './helper.ts'
import {
  accidentLabel,
  carriesMark,
  fillingLabel,
  isRecord,
  readLabel,
  readMark,
  refillLabel,
  unfinishedLabel,
  volumeLabel,
} from './mark-labels.ts'
import { finishRefill, isRefilling } from './replace-volume.ts'

/** Idempotent; what is gone already is success; touches only what carries the mark of exactly this attempt. */
export async function undoIntent(client: EngineClient, intent: Intent, options: CallOptions): Promise<'undone'> {
  const text = (key: string): string => {
    const value = isRecord(intent.data) ? intent.data[key] : undefined
    if (typeof value === 'string') return value
    throw new HoldfastError('INTERNAL', `Intent ${intent.id} (${intent.kind}) has no ${key}.`)
  }
  if (intent.kind === 'remove-helper') await removeHelper(client, intent.mark, text('helper'), text('volume'), options)
  else if (intent.kind === 'remove-volume') await removeVolume(client, intent.mark, text('volume'), options)
  else if (intent.kind === 'refill-volume') await undoRefill(client, intent.mark, text('from'), text('to'), options)
  else
    throw new HoldfastError('UNSUPPORTED', `This version of the Docker provider does not know the intent ${JSON.stringify(intent.kind)}.`, {
      remedy: 'Update @holdfast/provider-docker: a newer version wrote it.',
    })
  return 'undone'
}

async function removeHelper(client: EngineClient, mark: Mark, name: string, volume: string, options: CallOptions): Promise<void> {
  // Helpers of a refill go with the refill: while they exist the fresh volume is needed.
  for (const container of await helpersOf(client, mark, options))
    if (containerName(container) === name && readLabel(container.Labels, refillLabel) === undefined)
      await client.removeContainer(container.Id, options)
  await removeAccident(client, mark, volume, options)
  await removeImages(client, mark, options)
}

async function removeAccident(client: EngineClient, mark: Mark, volume: string, options: CallOptions): Promise<void> {
  const found = await client.inspectVolume(volume, options)
  if (found && carriesMark(found.Labels, mark) && found.Labels?.[accidentLabel] === 'true')
    await removeOwnVolume(client, mark, volume, options)
}

async function undoRefill(client: EngineClient, mark: Mark, from: string, to: string, options: CallOptions): Promise<void> {
  await finishRefill(client, mark, from, to, options)
  for (const container of await helpersOf(client, mark, options))
    if (mounts(container, from) || mounts(container, to)) await client.removeContainer(container.Id, options)
  await removeAccident(client, mark, to, options)
  // The fresh volume goes with the refill, not later: an undo that comes again must find nothing to copy over what was written since.
  await removeVolume(client, mark, from, options)
}

async function removeVolume(client: EngineClient, mark: Mark, volume: string, options: CallOptions): Promise<void> {
  const found = await client.inspectVolume(volume, options)
  const own = found !== undefined && carriesMark(found.Labels, mark)
  if (own && (await isRefilling(client, mark, options)))
    throw new HoldfastError('UNDO_FAILED', `Volume ${volume} is still needed: another volume is being refilled from it.`, {
      remedy: 'Nothing: it is removed when the refill has ended.',
    })
  for (const container of await helpersOf(client, mark, options))
    if (mounts(container, volume)) await client.removeContainer(container.Id, options)
  await removeOwnVolume(client, mark, volume, options)
  await removeImages(client, mark, options)
}

/**
 * What still says "unfinished" on this engine, of any system, in the order in which it is to be undone. A restored volume that was handed over
 * says it no longer: its helper and image are gone, and only they tell that it is being filled.
 */
export async function* listLeftovers(client: EngineClient, provider: string, options: CallOptions): AsyncIterable<Intent> {
  const label = [`${unfinishedLabel}=true`]
  const containers = await client.listContainers({ label }, options)
  const images = await client.listImages(label, options)
  const volumes = (await client.listVolumes(options)).filter((volume) => volume.Labels?.[unfinishedLabel] === 'true')
  const found = new Map<string, Intent>()
  const add = (kind: string, data: { readonly [key: string]: string }, mark: Mark | undefined): void => {
    if (!mark) return
    const id = `leftover:${kind}:${mark.system}:${mark.run}.${mark.attempt}:${Object.values(data).join(':')}`
    if (!found.has(id)) found.set(id, { id, provider, kind, data, mark, kept: false })
  }
  for (const { Labels: labels } of containers) {
    const [from, to] = [readLabel(labels, fillingLabel), readLabel(labels, refillLabel)]
    if (from !== undefined && to !== undefined) add('refill-volume', { from, to }, readMark(labels))
  }
  for (const volume of volumes) add('remove-volume', { volume: volume.Name }, readMark(volume.Labels))
  for (const { Labels: labels } of [...containers, ...images]) {
    const volume = readLabel(labels, fillingLabel)
    if (volume !== undefined) add('remove-volume', { volume }, readMark(labels))
  }
  for (const container of containers) {
    const { Labels: labels } = container
    if (readLabel(labels, refillLabel) !== undefined) continue
    add('remove-helper', { helper: containerName(container), volume: readLabel(labels, volumeLabel) ?? '' }, readMark(labels))
  }
  for (const { Labels: labels } of images)
    add('remove-helper', { helper: '', volume: readLabel(labels, volumeLabel) ?? '' }, readMark(labels))
  yield* found.values()
}
