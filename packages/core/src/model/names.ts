import { createHash } from 'node:crypto'
import { HoldfastError } from '../spec/errors.ts'
import type { ManifestRef } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { type FlagName, flagFileNames, flagNames } from './flag-names.ts'

/** The names on disk (format version 1). Every path of a repository is made and read here. */

/** The file that says what a repository is and who owns it. */
export const repositoryFileName = 'repository.json'

/**
 * 64 bits of SHA-256, 16 hex digits. Two of a million names in one repository share them with a chance of 1 in 36 million; to hit the folder of somebody
 * else on purpose takes 2^64 hashes. Longer hashes would cost path length (Docker names, 255 bytes per name) and buy nothing: the manifest repeats
 * the full workload and run key, and a reader compares them.
 */
const hashDigits = 16

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, hashDigits)

/** `<provider>/<id>`, as in the store. A provider's name has no slash, so the first one parts them. */
export function workloadKey(workload: WorkloadRef): string {
  return `${workload.provider}/${workload.id}`
}

/** The opposite of {@link workloadKey}. Throws INTERNAL for what is no such key. */
export function parseWorkloadKey(key: string): WorkloadRef {
  const slash = key.indexOf('/')
  if (slash < 1 || slash === key.length - 1) throw new HoldfastError('INTERNAL', `${JSON.stringify(key)} is not the key of a workload`)
  return { provider: key.slice(0, slash), id: key.slice(slash + 1) }
}

/** The folder of a workload: `<slug of its id>-<hash>`. The slug is for people; the hash alone identifies. */
export function workloadFolder(workload: WorkloadRef): string {
  return `${slug(workload.id)}-${shortHash(workloadKey(workload))}`
}

/** At most 40 safe ASCII characters that a person recognises. */
function slug(id: string): string {
  const words = id
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+/, '')
    .slice(0, 40)
    .replace(/-+$/, '')
    .toLowerCase()
  return words === '' ? 'workload' : words
}

/** The hash of a run's key: in the name of its point's folder and in the mark of everything it makes on a platform. */
export function runHash(runKey: string): string {
  return shortHash(runKey)
}

/** The name of a point's folder, which is also the point's id: `20261120T020000Z-<hash of the run key>`. `due` is milliseconds UTC, cut to seconds. */
export function pointFolder(due: number, runKey: string): string {
  return `${basicTime(due)}-${runHash(runKey)}`
}

/** `<workload folder>/<point folder>`: the folder of {@link ManifestRef}. */
export function pointPath(workload: WorkloadRef, due: number, runKey: string): string {
  return `${workloadFolder(workload)}/${pointFolder(due, runKey)}`
}

/** ISO 8601 in its basic form, seconds: no character in it needs quoting anywhere. */
function basicTime(milliseconds: number): string {
  const time = isoTime(milliseconds)
  if (time.length !== 24) throw new HoldfastError('INTERNAL', `${milliseconds} is not a time that can be a name`)
  return `${time.slice(0, 19).replaceAll(/[-:]/g, '')}Z`
}

/** Milliseconds UTC as ISO 8601 with milliseconds. Throws INTERNAL for what is no time. */
export function isoTime(milliseconds: number): string {
  if (!Number.isFinite(milliseconds) || Math.abs(milliseconds) > 8.64e15)
    throw new HoldfastError('INTERNAL', `${milliseconds} is not a time`)
  return new Date(milliseconds).toISOString()
}

/**
 * A number has at most five digits. A point is written a few times in its life: a file with a longer number is not ours, and whoever counted up to it would
 * not come to an end.
 */
export const highestNumber = 99_999

/** The path of a manifest. */
export function manifestPath(folder: string, number: number): string {
  return `${folder}/manifest.${number}.json`
}

/** The folder of a number's files, without a slash at its end. */
export function numberFolder(folder: string, number: number): string {
  return `${folder}/${number}`
}

/** The path of a flag file. */
export function flagPath(folder: string, flag: FlagName): string {
  return `${folder}/${flagFileNames[flag]}`
}

/** What a path of a repository is. `foreign`: nothing that Holdfast writes; it is left alone. */
export type RepositoryPath =
  | { readonly kind: 'repository' }
  | { readonly kind: 'manifest'; readonly folder: string; readonly number: number }
  | { readonly kind: 'flag'; readonly folder: string; readonly flag: FlagName }
  /** `name` is relative to the number's folder. */
  | { readonly kind: 'data'; readonly folder: string; readonly number: number; readonly name: string }
  | { readonly kind: 'foreign' }

const pointPattern = /^([A-Za-z0-9-]{1,60}-[0-9a-f]{16}\/\d{8}T\d{6}Z-[0-9a-f]{16})\/(.+)$/
const manifestPattern = /^manifest\.([1-9]\d{0,4})\.json$/
const dataPattern = /^([1-9]\d{0,4})\/(.+)$/s

/** Tells what a path is, from the path alone. */
export function parseRepositoryPath(path: string): RepositoryPath {
  if (path === repositoryFileName) return { kind: 'repository' }
  const [, folder, rest] = pointPattern.exec(path) ?? []
  if (folder === undefined || rest === undefined) return { kind: 'foreign' }
  const manifest = manifestPattern.exec(rest)
  if (manifest) return { kind: 'manifest', folder, number: Number(manifest[1]) }
  const flag = flagNames.find((name) => flagFileNames[name] === rest)
  if (flag !== undefined) return { kind: 'flag', folder, flag }
  const [, number, name] = dataPattern.exec(rest) ?? []
  return number !== undefined && name !== undefined ? { kind: 'data', folder, number: Number(number), name } : { kind: 'foreign' }
}

/** The number of a manifest's name inside its point's folder: `manifest.3.json` is 3. */
export function numberOfManifest(inside: string): number | undefined {
  const digits = manifestPattern.exec(inside)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The number of a file's path inside its point's folder: `3/disk-0.qcow2` is 3. */
export function numberOfPath(inside: string): number | undefined {
  const digits = dataPattern.exec(inside)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The parts of a folder of {@link ManifestRef}, or undefined when it is not one. `due` is milliseconds UTC, `run` the hash of the run key. */
export function parsePointPath(
  folder: string,
): { readonly workloadFolder: string; readonly point: string; readonly due: number; readonly run: string } | undefined {
  const match = /^([A-Za-z0-9-]{1,60}-[0-9a-f]{16})\/((\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-([0-9a-f]{16}))$/.exec(folder)
  if (!match) return undefined
  const [, workload = '', point = '', year, month, day, hour, minute, second, run = ''] = match
  const due = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  return { workloadFolder: workload, point, due, run }
}

/** The id of the point whose folder this is. */
export function pointOf(reference: Pick<ManifestRef, 'folder'>): string {
  return reference.folder.slice(reference.folder.lastIndexOf('/') + 1)
}
