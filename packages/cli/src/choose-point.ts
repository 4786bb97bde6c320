import type { OfflinePoint, UnreadablePoint } from '@holdfast/core/offline'
import { HoldfastError, nearest, type WorkloadRef } from '@holdfast/core/spec'
import type { OpenFolder } from './open-folder.ts'

type AnyPoint = OfflinePoint | UnreadablePoint

/** The day: less of an id is more likely a slip than a choice. */
const shortestBeginning = '20261120'.length

/** A point that was chosen, and what should be said about the choice. */
export interface Choice {
  readonly point: OfflinePoint
  readonly warnings: readonly string[]
}

/** `provider/id`, as the command names workloads. */
export const workloadText = ({ provider, id }: WorkloadRef): string => `${provider}/${id}`

/** All workloads with a point, newest first. */
export function workloadsOf({ points }: Pick<OpenFolder, 'points'>): readonly string[] {
  return [...new Set(points.map((point) => workloadText(point.workload)))]
}

const checkFolder = 'Check that this is the folder of the repository, and that it is mounted.'

/** What is left of a repository that was emptied, or of one whose share is not mounted. */
export const noPoint = ({ root }: OpenFolder, remedy = checkFolder): HoldfastError =>
  new HoldfastError('NOT_FOUND', `There is no point in ${root}.`, { remedy })

/** Throws NOT_FOUND with the workloads that there are. */
export function checkWorkload(repository: OpenFolder, workload: string | undefined): void {
  const known = workloadsOf(repository)
  if (workload === undefined || known.includes(workload)) return
  const near = nearest(workload, known)
  const message = `There is no point of a workload ${JSON.stringify(workload)} in ${repository.root}.`
  const hint = near === undefined ? '' : `Did you mean ${near}? `
  throw new HoldfastError('NOT_FOUND', message, {
    remedy: known.length === 0 ? `The repository holds no point. ${checkFolder}` : `${hint}There are: ${someOf(known)}.`,
  })
}

/** The point that is meant by an id, the beginning of one, the path of a point's folder, or `latest`. Throws NOT_FOUND with those that there are, POINT_DAMAGED when it cannot be read. */
export function choosePoint(repository: OpenFolder, word: string, workload: string | undefined): Choice {
  checkWorkload(repository, workload)
  if (word === 'latest') return chooseLatest(repository, workload)
  const point = findPoint(repository, word, workload)
  if (!('number' in point))
    throw new HoldfastError('POINT_DAMAGED', `Point ${point.id} cannot be read: ${point.problem}`, { details: { folder: point.folder } })
  return { point, warnings: point.state === 'good' ? [] : [`point ${point.id} ${point.problem}`] }
}

/** Also one whose manifest cannot be read. */
export function findPoint(repository: OpenFolder, word: string, workload: string | undefined): AnyPoint {
  const all: readonly AnyPoint[] = [...repository.points, ...repository.unreadable].filter((point) => isOf(point, workload))
  const name = word.replace(/\/+$/, '')
  const found = all.filter(({ id, folder }) => id === name || folder === name || name.endsWith(`/${folder}`))
  const [point, ...more] = found.length > 0 ? found : all.filter(({ id }) => name.length >= shortestBeginning && id.startsWith(name))
  if (point === undefined) throw unknownPoint(repository, name, all)
  if (more.length === 0) return point
  if (found.length === 0) throw severalBegin(name, [point, ...more])
  throw new HoldfastError('INVALID_OPTIONS', `Several points have the id ${name}.`, {
    remedy: `Name one by its folder: ${found.map(({ folder }) => folder).join(' or ')}.`,
  })
}

function severalBegin(name: string, points: readonly AnyPoint[]): HoldfastError {
  return new HoldfastError('INVALID_OPTIONS', `${points.length} points begin with ${name}.`, {
    remedy: `Name one of: ${someOf(points.map(({ id }) => id))}.`,
  })
}

const isOf = ({ workload }: AnyPoint, wanted: string | undefined): boolean =>
  wanted === undefined || (workload !== undefined && workloadText(workload) === wanted)

function unknownPoint({ root }: OpenFolder, name: string, all: readonly AnyPoint[]): HoldfastError {
  const ids = all.map(({ id }) => id)
  const near = ids.find((id) => id.startsWith(name)) ?? nearest(name, ids)
  const hint = near === undefined ? '' : `Did you mean ${near}? `
  const remedy = all.length === 0 ? `The repository holds no point. ${checkFolder}` : `${hint}There are: ${someOf(ids)}.`
  return new HoldfastError('NOT_FOUND', `There is no point ${JSON.stringify(name)} in ${root}.`, { remedy })
}

function someOf(words: readonly string[]): string {
  if (words.length === 0) return 'none'
  return `${words.slice(0, 10).join(', ')}${words.length > 10 ? ` and ${words.length - 10} more (holdfast points)` : ''}`
}

/** When the run of a point was due, to the second: all that is known of one that cannot be read. */
export const timeOf = ({ id }: AnyPoint): string => id.slice(0, id.indexOf('Z'))

function chooseLatest(repository: OpenFolder, workload: string | undefined): Choice {
  const known = workloadsOf(repository)
  if (workload === undefined && known.length > 1)
    throw new HoldfastError('INVALID_OPTIONS', `"latest" of which workload? There are ${known.length} in ${repository.root}.`, {
      remedy: `Add --workload with one of: ${someOf(known)}.`,
    })
  const own = repository.points.filter((point) => isOf(point, workload))
  const at = own.findIndex(({ state }) => state === 'good')
  const point = own[at]
  const skipped = own.slice(0, at < 0 ? own.length : at).map(({ id, problem }) => `point ${id} ${problem}`)
  const since = point === undefined ? '' : timeOf(point)
  const unreadable = repository.unreadable
    .filter((each) => (each.workload === undefined || isOf(each, workload)) && timeOf(each) >= since)
    .map(({ id, problem }) => `point ${id} cannot be read: ${problem}`)
  const newer = [...unreadable, ...skipped]
  if (point !== undefined) return { point, warnings: newer.map((each) => `may be newer, but is not used as the latest: ${each}`) }
  const label = workload ?? known[0] ?? repository.root
  if (newer.length === 0) throw noPoint(repository)
  throw new HoldfastError('POINT_DAMAGED', `There is no good point of ${label}: ${newer.slice(0, 3).join('; ')}.`, {
    remedy: 'Name a point to try it all the same: every hash is checked. Or read another copy of the repository.',
  })
}
