import { type Catalog, type Flags, HoldfastError, type ManifestRef, type PointRow, type PointStore } from '@holdfast/core/spec'
import { folderKey, pointsOf, raiseVersion, raiseVersions, refKey, versionKey } from './catalog-versions.ts'
import { isFinal } from './create-run.ts'
import { heldRun } from './held-run.ts'
import { plain, same } from './plain.ts'
import type { KnownPoint, StoreContext } from './store-state.ts'

/** Adds or renews a row. A condemned one stays as it is. True if anything changed. */
export function putPoint(context: StoreContext, row: PointRow): boolean {
  const key = refKey(row)
  const known = context.state.points.get(key)
  const point: KnownPoint = plain({ ...row, condemned: false })
  if (known?.condemned === true || same(known, point)) return false
  context.state.points.set(key, point)
  raiseVersion(context, row.repository, row.workload)
  return true
}

function removePoint(context: StoreContext, point: KnownPoint): void {
  context.state.points.delete(refKey(point))
  const rest = pointsOf(context, point.repository, point.folder)
  if (rest.length === 0) context.state.flags.delete(folderKey(point.repository, point.folder))
}

function catalog(context: StoreContext, repository: string, workload: string): Catalog {
  const { points, flags, runs, versions } = context.state
  const rows = [...points.values()].filter((point) => point.repository === repository && point.workload === workload)
  rows.sort(
    (left, right) =>
      left.sequence - right.sequence ||
      (left.folder < right.folder ? -1 : left.folder > right.folder ? 1 : 0) ||
      left.number - right.number,
  )
  const unfinished = [...runs.values()].filter((run) => !isFinal(run))
  return {
    version: versions.get(versionKey(repository, workload)) ?? 0,
    points: rows.map((point) => ({ ...point, flags: flags.get(folderKey(repository, point.folder)) ?? {} })),
    inUse: unfinished.flatMap((run) => (run.target === undefined ? run.reads : [...run.reads, run.target])),
  }
}

type Added = Parameters<PointStore['sync']>[4]

function sync(context: StoreContext, repository: string, workload: string, add: Added, remove: readonly ManifestRef[]): void {
  const { points, flags, runs } = context.state
  const targets = new Set([...runs.values()].flatMap((run) => (run.target === undefined || isFinal(run) ? [] : [refKey(run.target)])))
  const untouchable = (ref: ManifestRef): boolean => targets.has(refKey(ref)) || points.get(refKey(ref))?.condemned === true
  for (const ref of remove) {
    const point = points.get(refKey(ref))
    if (point === undefined || point.repository !== repository || point.workload !== workload || untouchable(ref)) continue
    removePoint(context, point)
    raiseVersion(context, repository, workload)
  }
  for (const { flags: found, ...row } of add) {
    if (untouchable(row)) continue
    putPoint(context, row)
    const key = folderKey(row.repository, row.folder)
    if (same(flags.get(key) ?? {}, plain(found))) continue
    flags.set(key, plain(found))
    raiseVersion(context, repository, workload)
  }
}

function flag(context: StoreContext, repository: string, folder: string, patch: Parameters<PointStore['flag']>[2]): void {
  const rows = pointsOf(context, repository, folder)
  if (rows.length === 0) throw new HoldfastError('NOT_FOUND', `${repository}:${folder} is not in the catalog`)
  if (rows.every((row) => row.condemned)) throw new HoldfastError('POINT_CONDEMNED', `${repository}:${folder} is condemned`)
  const key = folderKey(repository, folder)
  const before: Flags = context.state.flags.get(key) ?? {}
  const after: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete after[name]
    else if (value !== undefined) after[name] = value
  }
  if (same(before, after)) return
  context.state.flags.set(key, plain(after as Flags))
  raiseVersions(context, rows)
}

function condemn(context: StoreContext, repository: string, workload: string, manifests: readonly ManifestRef[]): void {
  const { points } = context.state
  const rows = manifests.map((ref) => {
    const point = points.get(refKey(ref))
    if (point?.repository === repository && point.workload === workload) return point
    throw new HoldfastError('NOT_FOUND', `${refKey(ref).replaceAll('\n', '/')} is no manifest of ${workload} in ${repository}`)
  })
  const fresh = rows.filter((row) => !row.condemned)
  for (const row of fresh) points.set(refKey(row), { ...row, condemned: true })
  if (fresh.length > 0) raiseVersion(context, repository, workload)
}

export function memoryPoints(context: StoreContext): PointStore {
  const { state, perform } = context
  const isCurrent = (repository: string, workload: string, version: number): boolean =>
    (state.versions.get(versionKey(repository, workload)) ?? 0) === version
  return {
    workloads: (repository, options) =>
      context.iterate('points.workloads', options, () => {
        const rows = [...state.points.values()].filter((point) => point.repository === repository)
        return [...new Set(rows.map((point) => point.workload))].sort()
      }),
    catalog: (repository, workload, options) => perform('points.catalog', options, () => catalog(context, repository, workload)),
    sync: (lease, repository, workload, version, add, remove, options) =>
      perform('points.sync', options, () => {
        heldRun(context, lease)
        const stranger = add.find((row) => row.repository !== repository || row.workload !== workload)
        if (stranger !== undefined) {
          throw new HoldfastError(
            'INVALID_OPTIONS',
            `${refKey(stranger).replaceAll('\n', '/')} is no manifest of ${workload} in ${repository}`,
          )
        }
        if (!isCurrent(repository, workload, version)) return false
        sync(context, repository, workload, add, remove)
        return true
      }),
    flag: (repository, folder, patch, options) =>
      perform('points.flag', options, () => {
        if (options.lease !== undefined) heldRun(context, options.lease)
        flag(context, repository, folder, patch)
      }),
    condemn: (lease, repository, workload, version, manifests, options) =>
      perform('points.condemn', options, () => {
        heldRun(context, lease)
        if (!isCurrent(repository, workload, version)) return false
        condemn(context, repository, workload, manifests)
        return true
      }),
    forget: (lease, manifests, options) =>
      perform('points.forget', options, () => {
        heldRun(context, lease)
        for (const ref of manifests) {
          const point = state.points.get(refKey(ref))
          if (point?.condemned !== true) continue
          removePoint(context, point)
          raiseVersion(context, point.repository, point.workload)
        }
      }),
  }
}
