import type { Flags, ManifestRef, PointRow } from '@holdfast/core/spec'
import type { Insertable, Selectable } from 'kysely'
import { raiseVersion } from './catalog-versions.ts'
import type { SqlTransaction } from './sql-context.ts'
import type { PointTable } from './tables.ts'

export type KnownPoint = PointRow & { readonly condemned: boolean }

export const pointOf = (row: Selectable<PointTable>): KnownPoint => ({
  repository: row.repository,
  folder: row.folder,
  number: Number(row.number),
  pointId: row.point_id,
  workload: row.workload,
  parents: JSON.parse(row.parents_json),
  sequence: Number(row.sequence),
  createdAt: Number(row.created_at),
  summary: JSON.parse(row.summary_json),
  condemned: Number(row.condemned) === 1,
})

const rowOf = (point: PointRow): Insertable<PointTable> => ({
  repository: point.repository,
  folder: point.folder,
  number: point.number,
  point_id: point.pointId,
  workload: point.workload,
  parents_json: JSON.stringify(point.parents),
  sequence: point.sequence,
  created_at: point.createdAt,
  summary_json: JSON.stringify(point.summary),
  condemned: 0,
})

export async function findPoint({ database }: SqlTransaction, ref: ManifestRef): Promise<KnownPoint | undefined> {
  const row = await database
    .selectFrom('points')
    .selectAll()
    .where('repository', '=', ref.repository)
    .where('folder', '=', ref.folder)
    .where('number', '=', ref.number)
    .executeTakeFirst()
  return row === undefined ? undefined : pointOf(row)
}

export async function pointsOfFolder({ database }: SqlTransaction, repository: string, folder: string): Promise<readonly KnownPoint[]> {
  const rows = await database.selectFrom('points').selectAll().where('repository', '=', repository).where('folder', '=', folder).execute()
  return rows.map(pointOf)
}

/** Adds or renews a row. A condemned one stays as it is. Raises the version if anything changed. */
export async function putPoint(transaction: SqlTransaction, point: PointRow): Promise<void> {
  const known = await findPoint(transaction, point)
  if (known?.condemned === true) return
  const row = rowOf(point)
  if (known === undefined) await transaction.database.insertInto('points').values(row).execute()
  else if (JSON.stringify(rowOf(known)) === JSON.stringify(row)) return
  else {
    await transaction.database
      .updateTable('points')
      .set(row)
      .where('repository', '=', point.repository)
      .where('folder', '=', point.folder)
      .where('number', '=', point.number)
      .execute()
  }
  await raiseVersion(transaction, point.repository, point.workload)
}

/** Removes a row, and the flags of its folder with the last one. */
export async function removePoint(transaction: SqlTransaction, point: KnownPoint): Promise<void> {
  const { repository, folder, number } = point
  await transaction.database
    .deleteFrom('points')
    .where('repository', '=', repository)
    .where('folder', '=', folder)
    .where('number', '=', number)
    .execute()
  if ((await pointsOfFolder(transaction, repository, folder)).length === 0) await putFlags(transaction, repository, folder, {})
  await raiseVersion(transaction, repository, point.workload)
}

export async function flagsOf({ database }: SqlTransaction, repository: string, folder: string): Promise<Flags> {
  const row = await database
    .selectFrom('flags')
    .select('flags_json')
    .where('repository', '=', repository)
    .where('folder', '=', folder)
    .executeTakeFirst()
  return row === undefined ? {} : JSON.parse(row.flags_json)
}

const flagNames = ['pin', 'holdUntil', 'quarantine', 'verifiedAt'] as const

/** The given flags in a fixed order, without what is not set: equal flags are equal texts. */
export function flagText(flags: { readonly [K in keyof Flags]: Flags[K] | null | undefined }): string {
  return JSON.stringify(Object.fromEntries(flagNames.flatMap((name) => (flags[name] == null ? [] : [[name, flags[name]]]))))
}

/** Replaces the flags of a folder. */
export async function putFlags({ database }: SqlTransaction, repository: string, folder: string, flags: Flags): Promise<void> {
  await database.deleteFrom('flags').where('repository', '=', repository).where('folder', '=', folder).execute()
  const flags_json = flagText(flags)
  if (flags_json !== '{}') await database.insertInto('flags').values({ repository, folder, flags_json }).execute()
}
