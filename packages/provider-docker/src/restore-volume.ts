import {
  HoldfastError,
  type Mark,
  type RestoreRequest,
  type RestoreResult,
  type RestoreSource,
  type RunContext,
  type StoredFile,
} from '@holdfast/core/spec'
import type { EngineClient, VolumeSpec } from './engine-client.ts'
import { createHelper, ensureImage, type HelperPlan, helperNames } from './helper.ts'
import { checkVolumeName } from './inventory.ts'
import { carriesMark, type Labels, markLabels, readMark, unfinishedLabel, volumeLabel, withoutOurLabels } from './mark-labels.ts'
import { parseRestoreOptions, type RestoreOptions } from './options.ts'
import { replaceVolume } from './replace-volume.ts'
import { scanned, type TarSummary } from './tar-scan.ts'
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

/**
 * Makes a volume and fills it through a helper, which is gone when this resolves: while image or helper exist the volume is unfinished
 * (labels of a volume cannot change). Order: image, volume, helper, then the labels are read, then the first byte. An attempt that was
 * frozen between any two of these and wakes up finds its helper gone, or a volume with another mark.
 */
export async function fillNewVolume(
  client: EngineClient,
  spec: VolumeSpec,
  plan: HelperPlan,
  archive: StoredFile,
  contents: boolean,
  run: RunContext,
): Promise<{ readonly summary: TarSummary; keep(): void; undo(): Promise<void> }> {
  const { name } = spec
  const helper = await run.intend('remove-helper', { ...helperNames(run.mark, plan) })
  await ensureImage(client, run.mark, plan, run)
  const volume = await run.intend('remove-volume', { volume: name })
  await client.createVolume({ ...spec, labels: { ...spec.labels, ...markLabels(run.mark, { [volumeLabel]: name }) } }, run)
  const container = await createHelper(client, run.mark, plan, run)
  const held = await client.inspectVolume(name, run)
  if (!held || !carriesMark(held.Labels, run.mark)) throw nameTaken(name, held?.Labels, run.mark)
  await refuseContent(client, container, name, run)
  run.step(`filling volume ${name}`)
  const summary = await fill(client, container, name, archive, contents, run)
  await helper.undo()
  return { summary, keep: () => volume.keep(), undo: () => volume.undo() }
}

/** Puts a stored archive into the volume of a helper; each header is looked at before it goes up. */
async function fill(
  client: EngineClient,
  container: string,
  volume: string,
  archive: StoredFile,
  contents: boolean,
  run: RunContext,
): Promise<TarSummary> {
  const bytes = await archive.open({ signal: run.signal })
  const seen: { summary?: TarSummary } = {}
  try {
    await client.writeArchive(
      container,
      volume,
      scanned(bytes, {
        contents,
        onEnd: (summary) => {
          seen.summary = summary
        },
      }),
      run,
    )
  } finally {
    await bytes[Symbol.asyncDispose]?.()
  }
  if (!seen.summary) throw new HoldfastError('PROVIDER_FAILED', `The engine stopped reading before all of volume ${volume} had been sent.`)
  return seen.summary
}

/** A new volume whose driver options name a place may be full already; that data is not ours to overwrite. */
async function refuseContent(client: EngineClient, container: string, volume: string, run: RunContext): Promise<void> {
  const stream = await client.readArchive(container, volume, run)
  let bytes = 0
  try {
    for await (const chunk of stream) {
      bytes += chunk.length
      if (bytes > 8192) break
    }
  } finally {
    await stream[Symbol.asyncDispose]()
  }
  // One header and the end marks; a driver may add a folder such as lost+found, so a little more is allowed only if it stays under one record.
  if (bytes > 3 * 512)
    throw new HoldfastError(
      'NAME_TAKEN',
      `Volume ${volume} is not empty although it is new: its driver options name a place that holds data.`,
      {
        remedy: 'Choose other driverOptions, or restore with the existing volume as target.',
      },
    )
}

function nameTaken(name: string, labels: Labels | null | undefined, mark: Mark): HoldfastError {
  const other = readMark(labels)
  const sameRun = other !== undefined && other.system === mark.system && other.run === mark.run
  const whose = sameRun
    ? ` It was made by attempt ${other.attempt} of this run.`
    : other
      ? ` It was made by run ${other.run} of ${other.system}.`
      : ''
  return new HoldfastError('NAME_TAKEN', `There is a Docker volume ${name} already.${whose}`, {
    // The undo of the earlier attempt may still be on its way.
    retryable: sameRun && other.attempt !== mark.attempt,
    remedy: 'Restore under another name, or put the content in its place with the option replace.',
    details: { volume: name },
  })
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
