import { diskEntriesOf, diskEntryOf } from '../model/disk-entries.ts'
import type { Manifest, ManifestItem } from '../model/manifest.ts'
import type { RestoreSource, StoredDisk, StoredFile } from '../spec/restore.ts'
import type { Workload } from '../spec/workload.ts'
import { createReading, type Reading, type ReadingContext } from './reading.ts'
import { receivedDisk, type VmdkEntry } from './received-disk.ts'
import { storedDisk } from './stored-disk.ts'
import { storedFile } from './stored-file.ts'

export interface RestoreSourceContext extends ReadingContext {
  readonly point: Manifest
  /** The newest manifests of the points that disks of this one build on, directly or not, by point id. */
  readonly ancestors: ReadonlyMap<string, Manifest>
  readonly workload: Workload
  /** Everything will be read, so that all of it is expected before anything is opened. */
  readonly all?: boolean
}

/** Bytes that will be read of an item, as far as manifests tell: of a chain as much as its largest layer has, which is mostly the full. */
function bytesOf(item: ManifestItem, { point, ancestors }: RestoreSourceContext): number {
  if (item.type !== 'disk') return item.size
  const layers = [point, ...ancestors.values()].flatMap(diskEntriesOf).filter(({ disk }) => disk.key === item.disk.key)
  return Math.max(...layers.map(({ dataBytes }) => dataBytes))
}

/** Of what is expected already, only what is more is added when it is opened. */
function expectedBefore(reading: Reading, bytes: number): Reading {
  let ahead = bytes
  const expect = (more: number): void => {
    const known = Math.min(ahead, more)
    ahead -= known
    reading.meter.expect(more - known)
  }
  reading.meter.expect(bytes)
  return { ...reading, meter: { ...reading.meter, expect } }
}

/**
 * What a provider restores from. Opens nothing by itself; whatever is opened from it belongs to who opened it, and ends when the context's
 * signal aborts. Disks are in boot order when the manifest tells one.
 */
export function createRestoreSource(context: RestoreSourceContext): RestoreSource {
  const { point, ancestors, workload } = context
  const common = createReading(context)
  const files: StoredFile[] = []
  const disks: StoredDisk[] = []
  for (const item of point.items) {
    const reading = context.all ? expectedBefore(common, bytesOf(item, context)) : common
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
