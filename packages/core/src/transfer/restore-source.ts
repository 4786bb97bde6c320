import { diskEntryOf } from '../model/disk-entries.ts'
import type { Manifest } from '../model/manifest.ts'
import type { RestoreSource, StoredDisk, StoredFile } from '../spec/restore.ts'
import type { Workload } from '../spec/workload.ts'
import { createReading, type ReadingContext } from './reading.ts'
import { receivedDisk, type VmdkEntry } from './received-disk.ts'
import { storedDisk } from './stored-disk.ts'
import { storedFile } from './stored-file.ts'

export interface RestoreSourceContext extends ReadingContext {
  readonly point: Manifest
  /** The newest manifests of the points that disks of this one build on, directly or not, by point id. */
  readonly ancestors: ReadonlyMap<string, Manifest>
  readonly workload: Workload
}

/**
 * What a provider restores from. Opens nothing by itself; whatever is opened from it belongs to who opened it, and ends when the context's
 * signal aborts. Disks are in boot order when the manifest tells one.
 */
export function createRestoreSource(context: RestoreSourceContext): RestoreSource {
  const { point, ancestors, workload } = context
  const reading = createReading(context)
  const files: StoredFile[] = []
  const disks: StoredDisk[] = []
  for (const item of point.items) {
    if (item.type === 'disk') {
      disks.push(storedDisk(point, item, ancestors, reading))
      continue
    }
    const file = storedFile(item, point.folder, reading)
    files.push(file)
    const entry = diskEntryOf(item)
    if (entry !== undefined) disks.push({ ...storedDisk(point, entry, ancestors, reading), file })
    else if (item.disk !== undefined) disks.push(receivedDisk(item as VmdkEntry, point.folder, file, reading))
  }
  const order = new Map(point.machine?.disks.map(({ key }, index) => [key, index]))
  const place = ({ key }: StoredDisk) => order.get(key) ?? order.size
  return {
    point: point.point,
    workload,
    ...(point.machine !== undefined && { machine: point.machine }),
    kind: point.providerKind,
    description: point.description,
    disks: disks.sort((one, other) => place(one) - place(other)),
    files,
  }
}
