import type { Manifest } from '../model/manifest-types.ts'
import { isoTime, parsePointPath, parseWorkloadKey, pointOf, workloadKey } from '../model/names.ts'
import { pointRow, pointSummary } from '../model/point-row.ts'
import type { Flags } from '../spec/store.ts'
import type { OfflineFlags, OfflinePoint, UnreadablePoint } from './offline-types.ts'
import { type ReadFolder, repositoryName } from './read-folder.ts'

/** What the folders of a repository amount to. */
export interface Judged {
  readonly points: readonly OfflinePoint[]
  readonly unreadable: readonly UnreadablePoint[]
  chain(point: OfflinePoint): readonly OfflinePoint[]
}

type Verdict = Pick<OfflinePoint, 'state' | 'problem'>
const good: Verdict = { state: 'good' }

/** Orders points as a catalog would, and says of each why it does not count as good. `repositoryId`: of this repository, if it can be read. */
export function judgePoints(folders: readonly ReadFolder[], repositoryId: string | undefined): Judged {
  const workloads = new Map<string, { readonly point: OfflinePoint; readonly writtenFor: string }[]>()
  const homes = new Map<string, OfflinePoint>()
  for (const { folder, manifest, flags } of folders) {
    if (manifest === undefined) continue
    const point = pointFrom(manifest, flags)
    homes.set(homeOf(folder), point)
    const key = workloadKey(point.workload)
    const members = workloads.get(key)
    const member = { point, writtenFor: manifest.repositoryId }
    if (members === undefined) workloads.set(key, [member])
    else members.push(member)
  }
  const unreadable = folders.flatMap((folder) => unreadablePoint(folder, homes))
  const problems = new Map(unreadable.map(({ id, problem }) => [id, problem]))
  const groups = [...workloads.values()].map((members) => judgeWorkload(members, problems, repositoryId))
  const newest = (points: readonly OfflinePoint[]) =>
    points.reduce((latest, { createdAt }) => Math.max(latest, Date.parse(createdAt)), Number.NEGATIVE_INFINITY)
  const points = groups.sort((one, other) => newest(other) - newest(one)).flat()
  return { points, unreadable, chain: chainsIn(groups) }
}

const homeOf = (folder: string): string => folder.slice(0, folder.indexOf('/'))

function pointFrom(manifest: Manifest, flags: Flags): OfflinePoint {
  const row = pointRow(repositoryName, manifest)
  return {
    id: row.pointId,
    folder: row.folder,
    number: row.number,
    workload: parseWorkloadKey(row.workload),
    sequence: row.sequence,
    createdAt: isoTime(row.createdAt),
    parents: row.parents,
    flags: shownFlags(flags),
    summary: pointSummary(row),
    verifyBytes: verifyBytesOf(manifest),
    ...good,
  }
}

/** Disks are read past their tables, streams are counted as they came. */
function verifyBytesOf({ items }: Manifest): number {
  return items.reduce((sum, item) => sum + (item.type === 'disk' ? item.file.size - item.metadata.size : item.size), 0)
}

function shownFlags({ holdUntil, verifiedAt, ...words }: Flags): OfflineFlags {
  return {
    ...words,
    ...(holdUntil !== undefined && { holdUntil: isoTime(holdUntil) }),
    ...(verifiedAt !== undefined && { verifiedAt: isoTime(verifiedAt) }),
  }
}

function unreadablePoint({ folder, manifest, problem }: ReadFolder, homes: ReadonlyMap<string, OfflinePoint>): readonly UnreadablePoint[] {
  if (manifest !== undefined || problem === undefined) return []
  const workload = homes.get(homeOf(folder))?.workload
  const due = isoTime(parsePointPath(folder)?.due ?? 0)
  return [{ id: pointOf({ folder }), folder, due, problem, ...(workload !== undefined && { workload }) }]
}

/** Newest first. Judged oldest first: a parent's sequence is below its children's. */
function judgeWorkload(
  members: readonly { readonly point: OfflinePoint; readonly writtenFor: string }[],
  unreadable: ReadonlyMap<string, string>,
  repositoryId: string | undefined,
): readonly OfflinePoint[] {
  const oldestFirst = [...members].sort(
    (one, other) => one.point.sequence - other.point.sequence || (one.point.folder < other.point.folder ? -1 : 1),
  )
  const judged = new Map<string, OfflinePoint>()
  for (const { point, writtenFor } of oldestFirst) {
    const own = ownVerdict(point, writtenFor, repositoryId)
    judged.set(point.id, { ...point, ...(own === good ? chainVerdict(point, judged, unreadable) : own) })
  }
  return [...judged.values()].reverse()
}

/** A point that was copied here by hand must not be taken for the newest of this repository. */
function ownVerdict({ flags }: OfflinePoint, writtenFor: string, repositoryId: string | undefined): Verdict {
  if (repositoryId !== undefined && writtenFor !== repositoryId)
    return { state: 'foreign', problem: `was written for repository ${writtenFor}, not for ${repositoryId}` }
  return flags.quarantine === undefined ? good : { state: 'quarantined', problem: `is quarantined: ${flags.quarantine}` }
}

function chainVerdict(
  { parents }: OfflinePoint,
  judged: ReadonlyMap<string, OfflinePoint>,
  unreadable: ReadonlyMap<string, string>,
): Verdict {
  for (const id of parents) {
    const parent = judged.get(id)
    if (parent === undefined) {
      const damage = unreadable.get(id)
      return {
        state: 'incomplete',
        problem: `builds on point ${id}, which ${damage === undefined ? 'is not there' : `cannot be read: ${damage}`}`,
      }
    }
    const { state, problem = '' } = parent
    // The cause is told, not every step to it.
    if (state !== 'good') return { state, problem: problem.startsWith('builds on') ? problem : `builds on point ${id}, which ${problem}` }
  }
  return good
}

function chainsIn(groups: readonly (readonly OfflinePoint[])[]): Judged['chain'] {
  const byId = new Map(groups.flatMap((points) => points.map((point) => [`${workloadKey(point.workload)} ${point.id}`, point] as const)))
  return (point) => {
    const chain = new Set([point])
    for (const each of chain) {
      for (const id of each.parents) {
        const parent = byId.get(`${workloadKey(point.workload)} ${id}`)
        if (parent !== undefined) chain.add(parent)
      }
    }
    return [...chain]
  }
}
