import type { Manifest } from '../model/manifest-types.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import type { RestoreSource, StoredDisk } from '../spec/restore.ts'
import { streamStoredDisk } from '../transfer/disk-stream.ts'
import { createRestoreSource, type ProgressMeter } from '../transfer/index.ts'
import type { Judged } from './judge-points.ts'
import type { OfflinePoint, OpenPoint } from './offline-types.ts'
import { readOrTell, repositoryName } from './read-folder.ts'

/** How the repository is read. */
export interface OfflineReading {
  readonly repository: Repository
  readonly clock: Clock
  readonly stallMs: number
  /** As its `repository.json` says; absent: there is none that can be read. */
  readonly repositoryId?: string
}

export async function openPoint(
  reading: OfflineReading,
  { chain }: Judged,
  point: OfflinePoint,
  { signal, meter }: CallOptions & { readonly meter: ProgressMeter },
): Promise<OpenPoint> {
  const manifest = await readManifest(reading.repository, point, { signal })
  if (manifest instanceof HoldfastError) throw manifest
  const ancestors: Manifest[] = []
  for (const below of chain(point).slice(1)) {
    const read = await readManifest(reading.repository, below, { signal })
    // A disk that needs it fails when it is opened, and says so; the others can be had.
    if (!(read instanceof HoldfastError)) ancestors.push(read)
  }
  const { provider: _provider, ...workload } = manifest.workload
  const source = createRestoreSource({
    ...reading,
    point: manifest,
    ancestors: new Map(ancestors.map((each) => [each.point, each])),
    workload,
    meter,
    signal,
  })
  return {
    manifest,
    ancestors,
    source,
    async streamDisk(key, { format, ...call }) {
      return await streamStoredDisk(diskOf(source, key), format, call)
    },
  }
}

function diskOf({ point, disks }: RestoreSource, key: string): StoredDisk {
  const disk = disks.find((each) => each.key === key)
  if (disk !== undefined) return disk
  const remedy = disks.length === 0 ? 'It has no disk at all.' : `There are: ${disks.map((each) => each.key).join(', ')}.`
  throw new HoldfastError('NOT_FOUND', `point ${point} has no disk ${JSON.stringify(key)}`, { remedy })
}

/** The manifest as it is now, or why it cannot be read any more. */
export async function readManifest(repository: Repository, point: OfflinePoint, options: CallOptions): Promise<Manifest | HoldfastError> {
  const { folder, number } = point
  const seen = await readOrTell(repository, { repository: repositoryName, folder, number }, options)
  if (seen.state === 'live') return seen.manifest
  if (seen.state === 'damaged') return seen.error
  const message = `${folder}/manifest.${number}.json is ${seen.state === 'dead' ? 'empty' : 'gone'}, a moment ago it was there`
  return new HoldfastError('POINT_DAMAGED', message, { details: { path: folder } })
}
