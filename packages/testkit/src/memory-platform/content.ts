import { createHash } from 'node:crypto'
import type { Json, Mark } from '@holdfast/core/spec'
import { clusterBytes, isZero, sha256 } from '../bytes.ts'
import type { Random } from '../random.ts'

/** A disk as clusters of 64 KiB. A cluster's bytes never change: writing replaces the cluster, so that freezing copies only a list. */
export interface DiskContent {
  readonly key: string
  readonly name: string
  readonly size: number
  readonly clusters: readonly (Uint8Array | undefined)[]
  /** When each cluster was last written: the platform's own counter. A checkpoint is a value of it. */
  readonly written: readonly number[]
}

const known = new WeakMap<Uint8Array, string>()
function digestOf(bytes: Uint8Array): string {
  const found = known.get(bytes) ?? sha256(bytes)
  known.set(bytes, found)
  return found
}

/** One hash over everything: equal exactly when names and bytes are equal. Independent of how the product hashes. */
export function digestOfFiles(files: ReadonlyMap<string, Uint8Array>): string {
  const hash = createHash('sha256')
  for (const [name, bytes] of [...files].sort(([one], [other]) => (one < other ? -1 : 1)))
    hash.update(JSON.stringify([name, digestOf(bytes)]))
  return hash.digest('hex')
}

export function digestOfDisks(disks: readonly DiskContent[]): string {
  const hash = createHash('sha256')
  for (const { key, size, clusters } of [...disks].sort((one, other) => (one.key < other.key ? -1 : 1))) {
    hash.update(JSON.stringify([key, size, clusters.map((cluster) => (cluster === undefined ? 0 : digestOf(cluster)))]))
  }
  return hash.digest('hex')
}

export function emptyDisk(disk: { readonly key: string; readonly name: string; readonly size: number }): DiskContent {
  const count = Math.ceil(disk.size / clusterBytes)
  return { key: disk.key, name: disk.name, size: disk.size, clusters: new Array(count).fill(undefined), written: new Array(count).fill(0) }
}

/** With this cluster replaced. Zeros are kept as no cluster. */
export function withCluster(disk: DiskContent, index: number, bytes: Uint8Array | undefined, sequence: number): DiskContent {
  const kept = bytes === undefined || isZero(bytes) ? undefined : bytes
  return { ...disk, clusters: disk.clusters.with(index, kept), written: disk.written.with(index, sequence) }
}

/** Writes bytes anywhere. */
export function withBytes(disk: DiskContent, offset: number, bytes: Uint8Array, sequence: number): DiskContent {
  if (offset < 0 || offset + bytes.length > disk.size) throw new RangeError(`write of ${bytes.length} bytes at ${offset} of ${disk.size}`)
  let result = disk
  for (let at = 0; at < bytes.length; ) {
    const index = Math.floor((offset + at) / clusterBytes)
    const start = offset + at - index * clusterBytes
    const length = lengthOfCluster(disk, index)
    const take = Math.min(length - start, bytes.length - at)
    const next = new Uint8Array(length)
    const before = result.clusters[index]
    if (before) next.set(before)
    next.set(bytes.subarray(at, at + take), start)
    result = withCluster(result, index, next, sequence)
    at += take
  }
  return result
}

const lengthOfCluster = (disk: DiskContent, index: number): number => Math.min(clusterBytes, disk.size - index * clusterBytes)

export function bytesOfDisk(disk: DiskContent): Uint8Array {
  const whole = new Uint8Array(disk.size)
  for (const [index, cluster] of disk.clusters.entries()) if (cluster) whole.set(cluster, index * clusterBytes)
  return whole
}

/** A cluster that compresses well and is made quickly: 256 random bytes, repeated. */
export function randomCluster(disk: DiskContent, index: number, random: Random): Uint8Array {
  const cluster = new Uint8Array(lengthOfCluster(disk, index))
  cluster.set(random.bytes(256).subarray(0, cluster.length))
  for (let filled = 256; filled < cluster.length; filled *= 2) cluster.copyWithin(filled, 0, filled)
  return cluster
}

/** One write of a guest: mostly data, sometimes zeros. */
export function mutateDisk(disk: DiskContent, random: Random, sequence: number): DiskContent {
  const index = random.below(disk.clusters.length)
  return withCluster(disk, index, random.chance(0.25) ? undefined : randomCluster(disk, index, random), sequence)
}

/** One write of a program: a file is made, replaced or removed. */
export function mutateFiles(files: ReadonlyMap<string, Uint8Array>, random: Random, fileBytes: number): Map<string, Uint8Array> {
  const next = new Map(files)
  const name = `folder-${random.below(2)}/file-${random.below(4)}`
  if (next.size > 1 && random.chance(0.2)) next.delete(random.pick([...next.keys()]))
  else next.set(name, random.bytes(1 + random.below(fileBytes)))
  return next
}

export const sameAttempt = (one: Mark | undefined, other: Mark): boolean =>
  one !== undefined && sameRun(one, other) && one.attempt === other.attempt
export const sameRun = (one: Mark | undefined, other: Omit<Mark, 'attempt'>): boolean =>
  one !== undefined && one.system === other.system && one.plan === other.plan && one.run === other.run
/** For the state of the platform as JSON. */
export const markText = (mark: Mark | undefined): string | null => (mark ? `${mark.system}/${mark.plan}/${mark.run}.${mark.attempt}` : null)

/** One thing on the platform that a backup or a restore could make, change or remove: a machine, a disk, a volume, a container, a snapshot. */
export interface PlatformThing {
  /** Unique on the platform. */
  readonly id: string
  /** Absent: it does not carry a mark of ours. */
  readonly mark?: Mark
  /** Equal exactly when the thing is as it was: running or not, name, contents or a hash of them. */
  readonly state: Json
}
export const thing = (id: string, mark: Mark | undefined, state: Json): PlatformThing => ({ id, state, ...(mark && { mark }) })
