import type { MappedBlocks } from '@holdfast/core/spec'
import { memoryMappedBlocks } from '../memory-blocks.ts'
import { seededRandom } from '../random.ts'
import type { SimulatedTracking } from './simulated-tracking.ts'

/** What is on a disk. A write replaces it as a whole, so that whoever holds one, as a snapshot does, holds it frozen. */
export interface DiskContent {
  /** What the guest sees, in bytes. */
  readonly size: number
  /** May be called again; the caller disposes it. */
  open(): MappedBlocks
}

/** What a disk is behind its controller. */
export type SimulatedBacking = 'flat' | 'sparse' | 'seSparse' | 'rdmVirtual' | 'rdmPhysical'

/** A disk of a machine. Everything has a default. */
export interface DiskOptions {
  /** Default: 1 MiB with some bytes in it. An array is the whole disk. */
  readonly content?: Uint8Array | DiskContent
  /** Class of its controller. Default `ParaVirtualSCSIController`; one that nobody knows is as good. */
  readonly controller?: string
  /** Default 0. */
  readonly bus?: number
  /** Default: the next one that is free. */
  readonly unit?: number
  /** Default: one of its own. `null`: the host gives none. */
  readonly uuid?: string | null
  /** Default `Hard disk 1` and so on. */
  readonly label?: string
  /** Default `flat`. */
  readonly backing?: SimulatedBacking
  /** Default `persistent`. */
  readonly mode?: string
  /** Default true. */
  readonly thin?: boolean
  /** Default false. */
  readonly encrypted?: boolean
  /** Several machines may write it. Default false. */
  readonly multiWriter?: boolean
  /** Default: the first datastore. */
  readonly datastore?: string
}

/** A disk of a simulated machine. */
export interface SimulatedDisk {
  readonly key: number
  readonly controllerKey: number
  readonly unit: number
  /** As keys of leases name it: `ParaVirtualSCSIController0:0`. */
  readonly slot: string
  readonly label: string
  readonly uuid: string | undefined
  readonly backing: SimulatedBacking
  readonly mode: string
  readonly thin: boolean
  readonly encrypted: boolean
  readonly multiWriter: boolean
  readonly datastore: string
  /** `[datastore1] web/web.vmdk`; a snapshot gives it another one. */
  fileName: string
  /** Files that hold what has not changed since snapshots, newest first. */
  parents: readonly string[]
  /** Of the last snapshot; undefined: its changes are not tracked. */
  changeId: string | undefined
  readonly tracking: SimulatedTracking
  content: DiskContent
}

/** Bytes in memory as the content of a disk. They must not change any more. */
export const contentOf = (bytes: Uint8Array): DiskContent => ({ size: bytes.length, open: () => memoryMappedBlocks(bytes, { readers: 4 }) })

/** 1 MiB, most of it zero, that no other name gives. */
export function exampleContent(name: string): DiskContent {
  const random = seededRandom(1).fork(name)
  const bytes = new Uint8Array(1024 * 1024)
  bytes.set(random.bytes(100_000))
  bytes.set(random.bytes(5000), 700_000)
  return contentOf(bytes)
}

export const sizeOf = ({ content }: SimulatedDisk): number => content.size
