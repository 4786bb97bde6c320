import type { ManifestRef, Run } from '@holdfast/core/spec'
import type { SqlTransaction } from './sql-context.ts'

export const describeRef = (ref: ManifestRef): string => `${ref.repository}:${ref.folder}/manifest.${ref.number}.json`

export async function catalogVersion({ database }: SqlTransaction, repository: string, workload: string): Promise<number> {
  const row = await database
    .selectFrom('catalog_versions')
    .select('version')
    .where('repository', '=', repository)
    .where('workload', '=', workload)
    .executeTakeFirst()
  return Number(row?.version ?? 0)
}

export async function raiseVersion({ database }: SqlTransaction, repository: string, workload: string): Promise<void> {
  await database
    .insertInto('catalog_versions')
    .values({ repository, workload, version: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['repository', 'workload'])
        .doUpdateSet((expression) => ({ version: expression('catalog_versions.version', '+', 1) })),
    )
    .execute()
}

/** Raises the version of every workload that these manifests belong to: by their rows and, for a number without a row yet, by the run. */
export async function raiseVersions(transaction: SqlTransaction, refs: readonly ManifestRef[], run?: Run): Promise<void> {
  const raised = new Map<string, readonly [string, string]>()
  for (const { repository, folder } of refs) {
    const rows = await transaction.database
      .selectFrom('points')
      .select('workload')
      .distinct()
      .where('repository', '=', repository)
      .where('folder', '=', folder)
      .execute()
    const workloads = rows.map((row) => row.workload)
    if (run?.workload !== undefined) workloads.push(run.workload)
    for (const workload of workloads) raised.set(`${repository}\n${workload}`, [repository, workload])
  }
  for (const [repository, workload] of raised.values()) await raiseVersion(transaction, repository, workload)
}
