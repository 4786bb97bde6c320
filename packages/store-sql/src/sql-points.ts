import { type Catalog, type Flags, HoldfastError, type Lease, type ManifestRef, type PointStore } from '@holdfast/core/spec'
import { catalogVersion, describeRef, raiseVersion } from './catalog-versions.ts'
import { findPoint, flagsOf, flagText, pointOf, pointsOfFolder, putFlags, putPoint, removePoint } from './point-rows.ts'
import { heldRun, runOf } from './run-rows.ts'
import type { SqlContext, SqlTransaction } from './sql-context.ts'

async function inUse({ database }: SqlTransaction): Promise<readonly ManifestRef[]> {
  const rows = await database.selectFrom('runs').selectAll().where('state', 'in', ['queued', 'running']).orderBy('sequence').execute()
  return rows.map(runOf).flatMap((run) => (run.target === undefined ? run.reads : [...run.reads, run.target]))
}

async function catalog(transaction: SqlTransaction, repository: string, workload: string): Promise<Catalog> {
  const { database } = transaction
  const points = await database
    .selectFrom('points')
    .selectAll()
    .where('repository', '=', repository)
    .where('workload', '=', workload)
    .orderBy('sequence')
    .orderBy('folder')
    .orderBy('number')
    .execute()
  const flags = await database.selectFrom('flags').selectAll().where('repository', '=', repository).execute()
  const byFolder = new Map(flags.map((row) => [row.folder, JSON.parse(row.flags_json) as Flags]))
  return {
    version: await catalogVersion(transaction, repository, workload),
    points: points.map((row) => ({ ...pointOf(row), flags: byFolder.get(row.folder) ?? {} })),
    inUse: await inUse(transaction),
  }
}

/** Whether a rescan must leave this manifest alone. */
async function isUntouchable(transaction: SqlTransaction, ref: ManifestRef): Promise<boolean> {
  if ((await findPoint(transaction, ref))?.condemned === true) return true
  // Final runs have no target.
  const writer = await transaction.database
    .selectFrom('runs')
    .select('id')
    .where('target_repository', '=', ref.repository)
    .where('target_folder', '=', ref.folder)
    .where('target_number', '=', ref.number)
    .executeTakeFirst()
  return writer !== undefined
}

type Added = Parameters<PointStore['sync']>[4]

async function sync(
  transaction: SqlTransaction,
  repository: string,
  workload: string,
  add: Added,
  remove: readonly ManifestRef[],
): Promise<void> {
  for (const ref of remove) {
    const point = await findPoint(transaction, ref)
    if (point === undefined || point.repository !== repository || point.workload !== workload) continue
    if (!(await isUntouchable(transaction, ref))) await removePoint(transaction, point)
  }
  for (const { flags, ...point } of add) {
    if (point.repository !== repository || point.workload !== workload) {
      throw new HoldfastError('INVALID_OPTIONS', `${describeRef(point)} is no manifest of ${workload} in ${repository}`)
    }
    if (await isUntouchable(transaction, point)) continue
    await putPoint(transaction, point)
    if (flagText(flags) === flagText(await flagsOf(transaction, repository, point.folder))) continue
    await putFlags(transaction, repository, point.folder, flags)
    await raiseVersion(transaction, repository, workload)
  }
}

async function flag(
  transaction: SqlTransaction,
  repository: string,
  folder: string,
  patch: Parameters<PointStore['flag']>[2],
): Promise<void> {
  const rows = await pointsOfFolder(transaction, repository, folder)
  if (rows.length === 0) throw new HoldfastError('NOT_FOUND', `${repository}:${folder} is not in the catalog`)
  if (rows.every((row) => row.condemned)) throw new HoldfastError('POINT_CONDEMNED', `${repository}:${folder} is condemned`)
  const before = await flagsOf(transaction, repository, folder)
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
  const text = flagText({ ...before, ...given })
  if (text === flagText(before)) return
  await putFlags(transaction, repository, folder, JSON.parse(text))
  for (const workload of new Set(rows.map((row) => row.workload))) await raiseVersion(transaction, repository, workload)
}

async function condemn(
  transaction: SqlTransaction,
  repository: string,
  workload: string,
  manifests: readonly ManifestRef[],
): Promise<void> {
  let changed = false
  for (const ref of manifests) {
    const point = await findPoint(transaction, ref)
    if (point?.repository !== repository || point.workload !== workload) {
      throw new HoldfastError('NOT_FOUND', `${describeRef(ref)} is no manifest of ${workload} in ${repository}`)
    }
    changed ||= !point.condemned
    await transaction.database
      .updateTable('points')
      .set({ condemned: 1 })
      .where('repository', '=', ref.repository)
      .where('folder', '=', ref.folder)
      .where('number', '=', ref.number)
      .execute()
  }
  if (changed) await raiseVersion(transaction, repository, workload)
}

export function sqlPoints(context: SqlContext): PointStore {
  /** Under the lease and only for this version of the catalog. */
  const guarded = async (
    transaction: SqlTransaction,
    lease: Lease,
    [repository, workload, version]: readonly [string, string, number],
    action: () => Promise<void>,
  ): Promise<boolean> => {
    await heldRun(transaction, lease)
    if ((await catalogVersion(transaction, repository, workload)) !== version) return false
    await action()
    return true
  }
  return {
    workloads: (repository, options) =>
      context.iterate(options, async ({ database }) => {
        const query = database.selectFrom('points').select('workload').distinct().where('repository', '=', repository)
        return (await query.orderBy('workload').execute()).map((row) => row.workload)
      }),
    catalog: (repository, workload, options) => context.read(options, (transaction) => catalog(transaction, repository, workload)),
    sync: (lease, repository, workload, version, add, remove, options) =>
      context.write(options, (transaction) =>
        guarded(transaction, lease, [repository, workload, version], () => sync(transaction, repository, workload, add, remove)),
      ),
    flag: (repository, folder, patch, options) =>
      context.write(options, async (transaction) => {
        if (options.lease !== undefined) await heldRun(transaction, options.lease)
        await flag(transaction, repository, folder, patch)
      }),
    condemn: (lease, repository, workload, version, manifests, options) =>
      context.write(options, (transaction) =>
        guarded(transaction, lease, [repository, workload, version], () => condemn(transaction, repository, workload, manifests)),
      ),
    forget: (lease, manifests, options) =>
      context.write(options, async (transaction) => {
        await heldRun(transaction, lease)
        for (const ref of manifests) {
          const point = await findPoint(transaction, ref)
          if (point?.condemned === true) await removePoint(transaction, point)
        }
      }),
  }
}
