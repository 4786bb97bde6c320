import { parseRepositoryPath } from '../model/names.ts'
import type { Finding } from '../model/run-outcome.ts'

/** A point as far as it matters who builds on whom. */
export interface PointLineage {
  readonly id: string
  /** Ids of the points that it builds on directly. */
  readonly parents: readonly string[]
  readonly disks: readonly { readonly key: string; readonly parent?: string }[]
}

/**
 * The same findings, each with the points that build on what is damaged. Pure. `points`: all of one workload, newest first. What is damaged of a disk affects
 * those that build on that disk; a damaged manifest all that build on its point; a stream or a flag nobody else.
 */
export function withAffected(findings: readonly Finding[], points: readonly PointLineage[]): readonly Finding[] {
  const known = new Map<string, readonly string[]>()
  return findings.map((finding) => {
    const key = finding.disk?.key
    const isManifest = parseRepositoryPath(finding.file).kind === 'manifest'
    if (finding.point === '' || (key === undefined && !isManifest)) return finding
    const name = JSON.stringify([finding.point, key])
    const affects = known.get(name) ?? affectedPoints(points, finding.point, key)
    known.set(name, affects)
    return affects.length === 0 ? finding : { ...finding, affects }
  })
}

/** Ids of all that builds on a point, near and far, oldest first; with `disk` only of what builds on that disk of it. */
function affectedPoints(points: readonly PointLineage[], id: string, disk: string | undefined): readonly string[] {
  const found = new Set([id])
  for (const waiting of found) {
    for (const { id: child, parents, disks } of points) {
      const builds = disk === undefined ? parents.includes(waiting) : disks.some((each) => each.key === disk && each.parent === waiting)
      if (builds) found.add(child)
    }
  }
  return points.flatMap((point) => (point.id !== id && found.has(point.id) ? [point.id] : [])).reverse()
}
