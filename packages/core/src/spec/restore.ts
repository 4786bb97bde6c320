import type { Disk } from './backup.ts'
import type { ByteStream, CallOptions, MappedBlocks } from './blocks.ts'
import type { Json } from './json.ts'
import type { Machine, Workload } from './workload.ts'

export interface ArchiveEntry {
  readonly name: string
  readonly type: string
  readonly size: number
  readonly offset: number
}
/** A stored stream, decrypted and decompressed. Offsets count the bytes as they came. A hash that does not match makes the read throw. */
export interface StoredFile {
  readonly name: string
  readonly format: 'vmdk' | 'tar' | 'bytes'
  readonly size: number
  readonly sha256: string
  open(options: CallOptions & { readonly start?: number; readonly end?: number }): Promise<ByteStream>
  /** Only for `tar`. */
  entries?(options: CallOptions): AsyncIterable<ArchiveEntry>
}
/** A disk at the point, its chain merged. Every cluster is verified before `readInto` resolves. */
export interface StoredDisk extends Disk {
  open(options: CallOptions): Promise<MappedBlocks>
  /** Only what differs from an older point (gaps are equal), or undefined when that cannot be told any more. */
  openChanges(sincePoint: string, options: CallOptions): Promise<MappedBlocks | undefined>
  /** The disk as it was received, if it was kept so. */
  readonly file?: StoredFile
}
export interface RestoreSource {
  readonly point: string
  readonly workload: Workload
  readonly machine?: Machine
  /** Kind of the provider that wrote `description`. */
  readonly kind: string
  readonly description: Json
  readonly disks: readonly StoredDisk[]
  readonly files: readonly StoredFile[]
}
/**
 * `recover`: new, or in place of `target`. `test`: new. `replica`: make it, or bring `target` (ours, powered off) to this point; the
 * point it holds is recorded on it, and un-recorded before its first write. Replicas and test copies have no network unless `options` maps one.
 */
export interface RestoreRequest {
  readonly purpose: 'recover' | 'replica' | 'test'
  readonly name: string
  readonly target?: string
  readonly start: boolean
  readonly options: Json
}
export interface RestoreResult {
  readonly workload: string
}
