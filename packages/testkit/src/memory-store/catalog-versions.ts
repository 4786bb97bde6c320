import type { ManifestRef, Run } from '@holdfast/core/spec'
import type { KnownPoint, StoreContext } from './store-state.ts'

export const refKey = (ref: ManifestRef): string => `${ref.repository}\n${ref.folder}\n${ref.number}`
export const folderKey = (repository: string, folder: string): string => `${repository}\n${folder}`
export const versionKey = (repository: string, workload: string): string => `${repository}\n${workload}`

export function pointsOf(context: StoreContext, repository: string, folder: string): readonly KnownPoint[] {
  return [...context.state.points.values()].filter((point) => point.repository === repository && point.folder === folder)
}

export function raiseVersion(context: StoreContext, repository: string, workload: string): void {
  const key = versionKey(repository, workload)
  context.state.versions.set(key, (context.state.versions.get(key) ?? 0) + 1)
}

/** Raises the version of every workload that these manifests belong to: by their rows and, for a number without a row yet, by the run. */
export function raiseVersions(context: StoreContext, refs: readonly ManifestRef[], run?: Run): void {
  const raised = new Map<string, readonly [string, string]>()
  for (const { repository, folder } of refs) {
    if (run?.workload !== undefined) raised.set(versionKey(repository, run.workload), [repository, run.workload])
    for (const { workload } of pointsOf(context, repository, folder)) raised.set(versionKey(repository, workload), [repository, workload])
  }
  for (const [repository, workload] of raised.values()) raiseVersion(context, repository, workload)
}
