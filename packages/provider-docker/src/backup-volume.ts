import {
  type BackupRequest,
  type BackupResult,
  type BackupSink,
  codeOf,
  HoldfastError,
  type Json,
  type Receipt,
  type RunContext,
} from '@holdfast/core/spec'
import type { Container } from './engine-answers.ts'
import type { EngineClient } from './engine-client.ts'
import { containerName, createHelper, ensureImage, type HelperPlan, helperNames, isActive, usersOf } from './helper.ts'
import { requireVolume } from './inventory.ts'
import { carriesMark, unfinishedLabel } from './mark-labels.ts'
import { parseOptions } from './options.ts'
import { describeVolume, isInMemory, losses } from './volume-description.ts'

/** A tar has at least one header (the folder of the volume) and two blocks of zeros. */
const smallestArchive = 3 * 512

export async function backupVolume(client: EngineClient, request: BackupRequest, sink: BackupSink, run: RunContext): Promise<BackupResult> {
  parseOptions('backup', request.options)
  const name = request.workload
  const volume = await requireVolume(client, name, run)
  if (isInMemory(volume))
    throw new HoldfastError('UNSUPPORTED', `Volume ${name} lives in memory (type=tmpfs): it holds nothing once no container runs.`, {
      remedy: 'Leave it out of the plan.',
    })
  if (volume.Labels?.[unfinishedLabel] !== undefined)
    throw new HoldfastError('UNSUPPORTED', `Volume ${name} belongs to an unfinished restore.`, {
      remedy: 'Back up the volume it was made for.',
    })
  const { Version: engine } = await client.version(run)
  const before = await usersOf(client, name, run)
  const receipt = await readVolume(client, name, sink, run)
  if (receipt.size < smallestArchive) throw new HoldfastError('TRUNCATED', `The archive of volume ${name} has only ${receipt.size} bytes.`)
  const users = merged(before, await usersOf(client, name, run))
  const active = users.filter(isActive).map(containerName)
  if (active.length > 0)
    run.note(
      'warning',
      'FUZZY',
      `Volume ${name} was read while ${active.join(', ')} could write to it: files may be from different moments, and files that were removed meanwhile are missing.`,
    )
  run.note('info', 'FIDELITY', `The archive of volume ${name} does not hold: ${losses.join('; ')}.`)
  const description = describeVolume(
    volume,
    engine,
    users.map((user) => ({ name: containerName(user), state: user.State })),
  )
  return { description: description as unknown as Json, consistency: active.length > 0 ? 'fuzzy' : 'off', skipped: [] }
}

async function readVolume(client: EngineClient, name: string, sink: BackupSink, run: RunContext): Promise<Receipt> {
  const plan: HelperPlan = { role: 'read', volume: name, readOnly: true }
  const helper = await run.intend('remove-helper', { ...helperNames(run.mark, plan) })
  await ensureImage(client, run.mark, plan, run)
  const container = await createHelper(client, run.mark, plan, run)
  // From here on the volume cannot be removed. Our mark on it means that it was, and that the engine made an empty one for the helper.
  const held = await client.inspectVolume(name, run)
  if (!held || carriesMark(held.Labels, run.mark))
    throw new HoldfastError('NOT_FOUND', `Volume ${name} was removed while its backup began.`)
  run.step(`reading volume ${name}`)
  const receipt = await sink
    .stream({ format: 'tar', name: `${name}.tar`, open: (options) => client.readArchive(container, name, options) })
    .catch(async (error: unknown) => {
      throw codeOf(error) === 'TRUNCATED' ? await truncated(client, name, error, run) : error
    })
  await helper.undo()
  return receipt
}

/** The engine ends the archive without a word when a file shrinks while it is read: everything behind it is missing. */
async function truncated(client: EngineClient, name: string, cause: unknown, run: RunContext): Promise<HoldfastError> {
  const users = await usersOf(client, name, run).catch(() => [])
  const active = users.filter(isActive).map(containerName)
  const text = `The archive of volume ${name} ended early: a file shrank or vanished while the engine read it`
  return new HoldfastError('TRUNCATED', active.length > 0 ? `${text}, while ${active.join(', ')} could write to it.` : `${text}.`, {
    cause,
    remedy: active.length > 0 ? `Stop ${active.join(', ')} for the backup, or run it at a quieter time.` : 'Run it again.',
    details: { volume: name, containers: active },
  })
}

function merged(before: readonly Container[], after: readonly Container[]): readonly Container[] {
  const byId = new Map(after.map((container) => [container.Id, container]))
  for (const container of before) if (isActive(container) || !byId.has(container.Id)) byId.set(container.Id, container)
  return [...byId.values()]
}
