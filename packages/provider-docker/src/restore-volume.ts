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
import { hidden } from './hide-secrets.ts'
import { checkVolumeName } from './inventory.ts'
import { type Labels, markLabels, unfinishedLabel, withoutOurLabels } from './mark-labels.ts'
import { parseRestoreOptions, type RestoreOptions } from './options.ts'
import { replaceVolume } from './replace-volume.ts'
import { namesPlace, parseDescription, withoutSecrets } from './volume-description.ts'

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
  const spec = newVolumeSpec(request.name, source, options, run, request.purpose)
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

/**
 * Driver, options and labels as recorded, but what the request says otherwise. What a point holds of a secret never gets into the new volume: what
 * is only a secret is left out with a warning. INVALID_OPTIONS when an option that says more than the secret would be missing.
 */
export function newVolumeSpec(
  name: string,
  source: RestoreSource,
  options: RestoreOptions,
  run: RunContext,
  purpose: RestoreRequest['purpose'] = 'recover',
): VolumeSpec {
  const recorded = source.kind === 'docker' ? parseDescription(source.description) : { driver: 'local', options: {}, labels: {} }
  const driver = options.driver ?? recorded.driver
  const inherited = driver === recorded.driver ? recorded.options : {}
  const driverOptions = options.driverOptions ?? inheritOptions(name, inherited, purpose, run)
  const labels = options.labels ?? withoutHidden(name, recorded.labels, { one: 'label', given: 'labels' }, run)
  return { name, driver, options: driverOptions, labels: withoutOurLabels(labels) }
}

function inheritOptions(name: string, recorded: Labels, purpose: RestoreRequest['purpose'], run: RunContext): Labels {
  const place = namesPlace(recorded)
  const cut = Object.keys(recorded).filter((key) => recorded[key] !== hidden && recorded[key]?.includes(hidden))
  // A test copy is thrown away, and is never made in the place of the original.
  if (cut.length > 0 && !(place && purpose === 'test')) throw secretMissing(name, cut)
  if (!place) return withoutHidden(name, recorded, { one: 'option', given: 'driverOptions' }, run)
  // Points of earlier versions may hold more than is hidden today.
  const words = Object.entries(withoutSecrets(recorded)).map(([key, value]) => `${key}=${value}`)
  run.note(
    'warning',
    'OPTIONS_LEFT_OUT',
    `The volume had options that name a place (${words.join(', ')}). A second volume with them would be the same data, so ${name} was made without; pass driverOptions to use them.`,
  )
  return {}
}

function secretMissing(name: string, cut: readonly string[]): HoldfastError {
  const which = cut.length === 1 ? `option ${cut[0]}` : `options ${cut.join(', ')}`
  return new HoldfastError(
    'INVALID_OPTIONS',
    `options.driverOptions: the volume had the driver ${which} with a secret in it, which no point keeps. Without it ${name} could store its data in another place, so nothing was made.`,
    {
      remedy:
        'Restore with driverOptions: all options of the new volume, the secret among them. Or with driver: "local" and driverOptions: {}, for a volume on the disk of the Docker host.',
      details: { volume: name, options: cut },
    },
  )
}

function withoutHidden(name: string, recorded: Labels, words: { readonly one: string; readonly given: string }, run: RunContext): Labels {
  const left = Object.keys(recorded).filter((key) => recorded[key]?.includes(hidden))
  if (left.length > 0)
    run.note(
      'warning',
      'OPTIONS_LEFT_OUT',
      `Volume ${name} was made without the ${words.one}${left.length === 1 ? '' : 's'} ${left.join(', ')}: what was in there is a secret, which no point keeps. It must be given by hand: restore with ${words.given}.`,
    )
  return Object.fromEntries(Object.entries(recorded).filter(([key]) => !left.includes(key)))
}
