import { manifestPath } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { bytesOf } from '../../spec/helpers/index.ts'
import type { ManifestRef } from '../../spec/store.ts'
import { type EngineParts, repositoryNamed } from '../parts.ts'
import { type CatalogPoint, referenceOf } from '../points/catalog-view.ts'
import { type DeadFiles, removeDeadFiles, removeFlagFiles } from '../points/dead-files.ts'
import { requireOwnership } from '../points/ownership.ts'
import { readNumber } from '../points/point-folder.ts'
import type { Attempt } from '../runs/attempt.ts'

/** What is gone. */
export interface Deleted {
  readonly points: ReadonlySet<string>
  readonly bytes: number
}

/**
 * Deletes what is condemned, also what an earlier prune could not finish (rule whole-list; of one workload alone, `only`, that is the list of its chains,
 * which never leave it). A row beside a manifest that cannot be read stays, and a warning says so: what that one names is not known.
 */
export async function deleteCondemned(
  parts: EngineParts,
  attempt: Attempt,
  { repository, only }: { readonly repository: string; readonly only: string | undefined },
  options: CallOptions,
): Promise<Deleted> {
  const points = new Set<string>()
  let bytes = 0
  const undecided: CondemnedRow[] = []
  const remove = async (row: CondemnedRow) => {
    const seen = await deleteRow(parts, attempt, row, options)
    bytes += seen.deletedBytes
    if (!seen.live) points.add(row.pointId)
    return seen.undecided
  }
  for (const row of await condemnedRows(parts, repository, only, options)) {
    attempt.meter.step(`deleting ${row.pointId}`)
    if ((await remove(row)) !== undefined) undecided.push(row)
  }
  // Once more: the manifest that could not be read may have been condemned too, and is empty by now.
  for (const row of undecided) {
    const path = await remove(row)
    if (path === undefined) continue
    const why = `${path} cannot be read, and might name its files`
    attempt.warn('NOT_DELETED', `Point ${row.pointId} stays condemned: ${why}. Mend or remove that file, then prune again.`)
  }
  return { points, bytes }
}

/** With the highest number of its point that the catalog knows. */
type CondemnedRow = CatalogPoint & { readonly highest: number }

/** Children before parents (rule children-first), the numbers of one point in ascending order (rule oldest-first). */
async function condemnedRows(
  parts: EngineParts,
  repository: string,
  only: string | undefined,
  options: CallOptions,
): Promise<readonly CondemnedRow[]> {
  const rows: CondemnedRow[] = []
  for await (const workload of parts.store.points.workloads(repository, options)) {
    if (only !== undefined && workload !== only) continue
    const catalog = await parts.store.points.catalog(repository, workload, options)
    const highest = (folder: string) => Math.max(...catalog.points.filter((row) => row.folder === folder).map(({ number }) => number))
    for (const row of catalog.points) if (row.condemned) rows.push({ ...row, highest: highest(row.folder) })
  }
  return rows.sort((a, b) => b.sequence - a.sequence || a.number - b.number)
}

/** The manifest becomes an empty one (rules manifest-first, dead-number), durably; then the files that nobody names go; then the row. */
async function deleteRow(parts: EngineParts, attempt: Attempt, row: CondemnedRow, options: CallOptions): Promise<DeadFiles> {
  await requireOwnership(parts, row.repository, options)
  const repository = repositoryNamed(parts, row.repository)
  const reference: ManifestRef = referenceOf(row)
  const seen = await readNumber(repository, reference, options)
  if (seen.state !== 'dead') await repository.put(manifestPath(row.folder, row.number), bytesOf(new Uint8Array(0)), { ...options, size: 0 })
  await repository.sync(row.folder, options)
  const left = await removeDeadFiles(repository, reference, options, row.highest)
  if (left.undecided !== undefined) return left
  if (!left.live) await removeFlagFiles(repository, row.folder, options)
  await parts.store.points.forget(attempt.lease, [reference], options)
  return left
}
