import { isMediaError } from '../engine/media-errors.ts'
import { type NumberState, readNumber, readSmallFile } from '../engine/points/point-folder.ts'
import { decodeFlags, type FlagName } from '../model/flags.ts'
import { filesOfManifest } from '../model/manifest-files.ts'
import type { Manifest } from '../model/manifest-types.ts'
import { flagPath, manifestPath, pointOf, workloadFolder } from '../model/names.ts'
import type { Finding } from '../model/run-outcome.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { codeOf, HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import type { Flags, ManifestRef } from '../spec/store.ts'
import type { SeenFolder } from './list-folders.ts'

/** Stands where a catalog has the name of a repository: there is only one here. */
export const repositoryName = 'repository'

/** What says of one file that it cannot be used, while others can. */
const closedFiles: ReadonlySet<string> = new Set(['ACCESS_DENIED', 'REPOSITORY_NOT_WRITABLE', 'PATH_OUTSIDE', 'TRUNCATED'])

/** What could not be read now, though it is there: of one file of many it is damage. */
export const isUnreadable = (error: unknown): error is HoldfastError =>
  isMediaError(error) || (HoldfastError.isInstance(error) && closedFiles.has(error.code))

/** What the manifests and flags in the folder of a point say. */
export interface ReadFolder {
  readonly folder: string
  /** The valid manifest with the highest number. */
  readonly manifest?: Manifest
  readonly flags: Flags
  readonly findings: readonly Finding[]
  readonly notes: readonly string[]
  /** Why there is no manifest that can be used, though there should be one. */
  readonly problem?: string
}

/** Reads every manifest and flag of a folder. What cannot be read is a finding. */
export async function readFolder(repository: Repository, folder: string, seen: SeenFolder, options: CallOptions): Promise<ReadFolder> {
  const point = pointOf({ folder })
  const findings: Finding[] = []
  const damaged: Finding[] = []
  const dead: number[] = []
  const live: Manifest[] = []
  for (const number of seen.manifests) {
    const state = await readOrTell(repository, { repository: repositoryName, folder, number }, options)
    const finding = damageOf(state, folder, number)
    if (finding !== undefined) damaged.push({ point, ...finding })
    else if (state.state === 'live') live.push(state.manifest)
    else if (state.state === 'dead') dead.push(number)
  }
  findings.push(...damaged, ...emptied(folder, dead, live, seen))
  const flags = await readFlags(repository, folder, seen.flags, findings, options)
  const manifest = live.at(-1)
  const problem = manifest === undefined ? damaged.at(-1)?.message : undefined
  return {
    folder,
    flags,
    findings,
    notes: withoutManifest(folder, seen),
    ...(manifest !== undefined && { manifest }),
    ...(problem !== undefined && { problem }),
  }
}

export async function readOrTell(repository: Repository, reference: ManifestRef, options: CallOptions): Promise<NumberState> {
  try {
    return await readNumber(repository, reference, options)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { state: 'damaged', error }
  }
}

function damageOf(state: NumberState, folder: string, number: number): Omit<Finding, 'point'> | undefined {
  const file = manifestPath(folder, number)
  if (state.state === 'damaged') return { file, message: state.error.message }
  if (state.state !== 'live') return undefined
  const home = (path: string) =>
    path
      .slice(0, path.indexOf('/') < 0 ? undefined : path.indexOf('/'))
      .split('-')
      .at(-1)
  if (home(workloadFolder(state.manifest.workload)) === home(folder)) return undefined
  return {
    file,
    message: `${file} is of workload ${state.manifest.workload.provider}/${state.manifest.workload.id}: it lies in the wrong folder`,
  }
}

/**
 * An empty manifest whose files are still there, and that no other manifest names: given up and not yet cleared away, or cut to nothing by damage. Below a live
 * number it is what a merge has left, and being deleted: the point needs it no more.
 */
function emptied(folder: string, dead: readonly number[], live: readonly Manifest[], seen: SeenFolder): readonly Finding[] {
  const named = new Set(live.flatMap(filesOfManifest).map((path) => Number.parseInt(path, 10)))
  const newest = Math.max(0, ...live.map(({ number }) => number))
  return dead
    .filter((number) => number > newest && seen.withFiles.has(number) && !named.has(number))
    .map((number) => {
      const file = manifestPath(folder, number)
      const message = `${file} is empty, but its files are still there: a backup that was given up, a point that is being deleted, or damage`
      return { point: pointOf({ folder }), file, message }
    })
}

function withoutManifest(folder: string, seen: SeenFolder): readonly string[] {
  const numbers = [...seen.withFiles].filter((number) => !seen.manifests.includes(number))
  return numbers.map(
    (number) =>
      `${folder}/${number} has files but no ${manifestPath('', number).slice(1)}: a backup under way, one that died, or a manifest that was lost`,
  )
}

async function readFlags(
  repository: Repository,
  folder: string,
  names: readonly FlagName[],
  findings: Finding[],
  options: CallOptions,
): Promise<Flags> {
  const files: { [flag in FlagName]?: Uint8Array } = {}
  for (const flag of names) {
    try {
      const bytes = await readSmallFile(repository, flagPath(folder, flag), options)
      if (bytes !== undefined) files[flag] = bytes
    } catch (error) {
      if (!isUnreadable(error) && codeOf(error) !== 'POINT_DAMAGED') throw error
      // Counts on the safe side, like one that does not verify.
      files[flag] = new Uint8Array(0)
    }
  }
  const { flags, damaged } = decodeFlags(folder, files)
  for (const { flag, error } of damaged) findings.push({ point: pointOf({ folder }), file: flagPath(folder, flag), message: error.message })
  return flags
}
