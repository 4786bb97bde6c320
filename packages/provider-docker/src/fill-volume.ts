import { HoldfastError, type Mark, type RunContext, type StoredFile } from '@holdfast/core/spec'
import type { EngineClient, VolumeSpec } from './engine-client.ts'
import { createHelper, ensureImage, type HelperPlan, helperNames } from './helper.ts'
import { carriesMark, type Labels, markLabels, readMark, volumeLabel } from './mark-labels.ts'
import { scanned, type TarSummary } from './tar-scan.ts'

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
  // The archive of an empty volume: the header of its folder and the end marks.
  if (bytes > 3 * 512)
    throw new HoldfastError(
      'NAME_TAKEN',
      `Volume ${volume} is not empty although it is new: its driver options name a place that holds data.`,
      {
        remedy: 'Choose other driverOptions, or restore with the existing volume as target.',
      },
    )
}

export function nameTaken(name: string, labels: Labels | null | undefined, mark: Mark): HoldfastError {
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
