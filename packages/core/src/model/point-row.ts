import type { Json } from '../spec/json.ts'
import type { PointRow } from '../spec/store.ts'
import { diskEntriesOf } from './disk-entries.ts'
import type { Manifest } from './manifest-types.ts'
import { workloadKey } from './names.ts'

/** What the catalog keeps of a manifest: enough to list points and to plan a chain without reading the repository. */
export interface PointSummary {
  readonly repositoryId: string
  /** ISO 8601 UTC. */
  readonly due: string
  readonly name: string
  readonly kind: Manifest['workload']['kind']
  readonly providerKind: string
  readonly plan?: string
  readonly consistency: Manifest['consistency']
  readonly checkpoint: boolean
  readonly disks: readonly {
    readonly key: string
    readonly size: number
    readonly form: 'full' | 'incremental'
    readonly parent?: string
  }[]
  readonly bytes: Manifest['bytes']
  /** The key of the run that copied it here: whoever does that run once more finds what it has made. */
  readonly copiedBy?: string
}

/** The catalog's row of a manifest; a pure function of it, so that a rescan makes the same row again. */
export function pointRow(repository: string, manifest: Manifest): PointRow {
  return {
    repository,
    folder: manifest.folder,
    number: manifest.number,
    pointId: manifest.point,
    workload: workloadKey(manifest.workload),
    parents: [...new Set(Object.values(manifest.parents))].sort(),
    sequence: manifest.sequence,
    createdAt: Date.parse(manifest.createdAt),
    summary: summaryOf(manifest) as unknown as Json,
  }
}

function summaryOf(manifest: Manifest): PointSummary {
  return {
    repositoryId: manifest.repositoryId,
    due: manifest.due,
    name: manifest.workload.name,
    kind: manifest.workload.kind,
    providerKind: manifest.providerKind,
    ...(manifest.plan !== undefined && { plan: manifest.plan }),
    consistency: manifest.consistency,
    checkpoint: manifest.checkpoint !== undefined,
    disks: diskEntriesOf(manifest).map(({ disk: { key, size }, form, parent }) => ({
      key,
      size,
      form,
      ...(parent !== undefined && { parent }),
    })),
    bytes: { ...manifest.bytes },
    ...(manifest.rewritten?.by === 'copy' && { copiedBy: manifest.rewritten.runKey }),
  }
}

/** The summary of a row that {@link pointRow} made. */
export function pointSummary(row: Pick<PointRow, 'summary'>): PointSummary {
  return row.summary as unknown as PointSummary
}
