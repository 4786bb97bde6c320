import { type CallOptions, HoldfastError, type Mark } from '@holdfast/core/spec'
import type { Container } from './engine-answers.ts'
import type { EngineClient } from './engine-client.ts'
import {
  carriesMark,
  fillingLabel,
  helperName,
  imageName,
  type Labels,
  labelPrefix,
  markFilter,
  markLabels,
  refillLabel,
  unfinishedLabel,
  volumeLabel,
} from './mark-labels.ts'

/**
 * A container that is never started, on an image of nothing, with one volume at `/data`: the archive API reads and writes the volume through
 * it (measured on Docker Engine 20.10.24). While it exists nobody can remove the volume, so what was read of the volume's labels after it was
 * made stays true.
 */
export interface HelperPlan {
  /** What it is for: the last part of its name. */
  readonly role: string
  readonly volume: string
  readonly readOnly: boolean
  /** The volume that is unfinished while this helper exists. */
  readonly filling?: string
  /** The existing volume that is refilled through this helper. */
  readonly refill?: string
}

/** Durable beside the intent `remove-helper`: enough to find everything again. */
export interface HelperNames {
  readonly helper: string
  readonly image: string
  readonly volume: string
}

export function helperNames(mark: Mark, plan: Pick<HelperPlan, 'role' | 'volume'>): HelperNames {
  return { helper: helperName(mark, plan.role), image: imageName(mark), volume: plan.volume }
}

function helperLabels(mark: Mark, plan: HelperPlan): Labels {
  return markLabels(mark, {
    [unfinishedLabel]: 'true',
    [volumeLabel]: plan.volume,
    ...(plan.filling !== undefined && { [fillingLabel]: plan.filling }),
    ...(plan.refill !== undefined && { [refillLabel]: plan.refill }),
  })
}

/** All helpers of an attempt share its image. Made before the volume it is for, so that an unfinished volume never stands alone. */
export async function ensureImage(client: EngineClient, mark: Mark, plan: HelperPlan, options: CallOptions): Promise<void> {
  const name = imageName(mark)
  const present = await client.listImages(markFilter(mark), options)
  if (present.some((image) => image.RepoTags?.includes(name))) return
  await client.importEmptyImage(name, helperLabels(mark, plan), options)
}

/** The image must be there. Answers the id of the container. */
export async function createHelper(client: EngineClient, mark: Mark, plan: HelperPlan, options: CallOptions): Promise<string> {
  const { volume, readOnly } = plan
  return client.createContainer(
    { name: helperName(mark, plan.role), image: imageName(mark), volume, readOnly, labels: helperLabels(mark, plan) },
    options,
  )
}

export function helpersOf(client: EngineClient, mark: Mark, options: CallOptions): Promise<readonly Container[]> {
  return client.listContainers({ label: markFilter(mark) }, options)
}

export const mounts = (container: Container, volume: string): boolean => (container.Mounts ?? []).some((mount) => mount.Name === volume)
export const containerName = (container: Container): string => (container.Names[0] ?? container.Id).replace(/^\//, '')
/** Processes of it are there, or will be again at any moment. */
export const isActive = (container: Container): boolean => ['running', 'paused', 'restarting', 'removing'].includes(container.State)
export const isOurs = (container: Container): boolean =>
  container.Labels?.[`${labelPrefix}run`] !== undefined && container.Labels[unfinishedLabel] === 'true'

/** Containers of other people that mount the volume, found by the mount and not by any name. */
export async function usersOf(client: EngineClient, volume: string, options: CallOptions): Promise<readonly Container[]> {
  const all = await client.listContainers({ volume: [volume] }, options)
  return all.filter((container) => mounts(container, volume) && !isOurs(container))
}

/** Removes the image of an attempt once it has no helper left: it goes with the last one. */
export async function removeImages(client: EngineClient, mark: Mark, options: CallOptions): Promise<void> {
  if ((await helpersOf(client, mark, options)).length > 0) return
  for (const image of await client.listImages(markFilter(mark), options)) await client.removeImage(image.Id, options)
}

/**
 * Removes one volume of this attempt if nobody uses it. The engine itself compares the labels while it removes, so a volume of another attempt
 * that took the name meanwhile is safe. Volumes with options or another driver are not pruned by the engine: those are looked at, then removed.
 */
export async function removeOwnVolume(client: EngineClient, mark: Mark, name: string, options: CallOptions): Promise<void> {
  const found = await client.inspectVolume(name, options)
  if (!found || !carriesMark(found.Labels, mark)) return
  const holders = (await client.listContainers({ volume: [name] }, options)).filter((container) => mounts(container, name))
  const ours = holders.find(isOurs)
  if (ours)
    throw new HoldfastError('IN_USE', `Volume ${name} is still held by the helper container ${containerName(ours)} of another attempt.`, {
      remedy: 'Nothing: it is removed with that attempt, then this is tried again.',
    })
  // Somebody has begun to use it: it is theirs now.
  if (holders.length > 0) return
  await client.pruneVolumes(markFilter(mark, { [volumeLabel]: name }), options)
  const left = await client.inspectVolume(name, options)
  if (left && carriesMark(left.Labels, mark)) await client.removeVolume(name, options)
}
