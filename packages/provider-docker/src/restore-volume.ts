import {
  HoldfastError,
  type RestoreRequest,
  type RestoreResult,
  type RestoreSource,
  type RunContext,
  type StoredFile,
} from '@holdfast/core/spec'
import type { EngineClient, VolumeSpec } from './engine-client.ts'
import { fillNewVolume, nameTaken } from './fill-volume.ts'
import type { HelperPlan } from './helper.ts'
import { checkVolumeName } from './inventory.ts'
import { type Labels, markLabels, unfinishedLabel, withoutOurLabels } from './mark-labels.ts'
import { parseRestoreOptions, type RestoreOptions } from './options.ts'
import { replaceVolume } from './replace-volume.ts'
import { namesPlace, parseDescription } from './volume-description.ts'

export async function restoreVolume(
  client: EngineClient,
  request: RestoreRequest,
  source: RestoreSource,
  run: RunContext,
): Promise<RestoreResult> {
  const options = parseRestoreOptions(request.options)
  if (request.purpose === 'replica')
    throw new HoldfastError('UNSUPPORTED', 'Docker volumes have no replicas.', { remedy: 'Restore the volume under a new name.' })
  const archive = onlyArchive(source)
  const target = request.purpose === 'test' ? undefined : (request.target ?? (options.replace ? request.name : undefined))
  if (target !== undefined) {
    checkVolumeName(target)
    // A volume to replace that is not there (a new host): then this is a new volume.
    if (request.target !== undefined || (await client.inspectVolume(target, run)))
      return replaceVolume(client, target, archive, options, run)
  }
  checkVolumeName(request.name)
  const spec = newVolumeSpec(request.name, source, options, run)
  return restoreIntoNew(client, spec, archive, request, run)
}

async function restoreIntoNew(
  client: EngineClient,
  spec: VolumeSpec,
  archive: StoredFile,
  request: RestoreRequest,
  run: RunContext,
): Promise<RestoreResult> {
  const { name } = spec
  // Looked at before the intent: what is there already must never come under an intent that would remove it, not even with a mark equal to ours
  // (a database that was rolled back counts attempts anew).
  const existing = await client.inspectVolume(name, run)
  if (existing) throw nameTaken(name, existing.Labels, run.mark)
  const unfinished: Labels = request.purpose === 'test' ? { [unfinishedLabel]: 'true' } : {}
  const plan: HelperPlan = { role: 'fill', volume: name, readOnly: false, filling: name }
  const filled = await fillNewVolume(
    client,
    { ...spec, labels: { ...spec.labels, ...markLabels(run.mark, unfinished) } },
    plan,
    archive,
    false,
    run,
  )
  filled.keep()
  return { workload: name }
}

function onlyArchive(source: RestoreSource): StoredFile {
  const archives = source.files.filter((file) => file.format === 'tar')
  const [first] = archives
  if (first && archives.length === 1) return first
  const found =
    archives.length === 0 ? 'holds no tar archive' : `holds ${archives.length} archives (${archives.map((file) => file.name).join(', ')})`
  throw new HoldfastError('UNSUPPORTED', `Point ${source.point} (${source.kind}) ${found}; a volume is restored from exactly one.`, {
    remedy: 'Choose a point of a Docker volume.',
  })
}

/** Driver, options and labels as recorded, but what the request says otherwise. */
export function newVolumeSpec(name: string, source: RestoreSource, options: RestoreOptions, run: RunContext): VolumeSpec {
  const recorded = source.kind === 'docker' ? parseDescription(source.description) : { driver: 'local', options: {}, labels: {} }
  const driver = options.driver ?? recorded.driver
  const labels = withoutOurLabels(options.labels ?? recorded.labels)
  const inherited = driver === recorded.driver ? recorded.options : {}
  if (options.driverOptions) return { name, driver, options: options.driverOptions, labels }
  if (namesPlace(inherited)) {
    const words = Object.entries(inherited).map(([key, value]) => `${key}=${value}`)
    run.note(
      'warning',
      'OPTIONS_LEFT_OUT',
      `The volume had options that name a place (${words.join(', ')}). A second volume with them would be the same data, so ${name} was made without; pass driverOptions to use them.`,
    )
    return { name, driver, options: {}, labels }
  }
  return { name, driver, options: inherited, labels }
}
