import type { CallOptions } from './blocks.ts'
import type { Json } from './json.ts'
import type { Lease } from './run-store.ts'
import type { StoreTime } from './store.ts'

// ---------- points: a cache of the manifests, plus what is condemned ----------

/** A manifest by name: `<folder>/manifest.<number>.json`. */
export interface ManifestRef {
  /** Name under which the application registered the repository. */
  readonly repository: string
  /** `<workload folder>/<point folder>`. */
  readonly folder: string
  /** From 1. */
  readonly number: number
}

/** What is known of one manifest: a function of it, so that a rescan makes the same row again. JSON. */
export interface PointRow extends ManifestRef {
  /** The last part of `folder`; the same under every number and in every copy. */
  readonly pointId: string
  /** `<provider>/<id>`. */
  readonly workload: string
  /** Point ids, never folders or files: a merge may change how a parent is stored. */
  readonly parents: readonly string[]
  /**
   * Highest sequence of this workload in this repository when the run planned, + 1, for a full too; a copy keeps its source's where that keeps
   * the order of the points there. Always above the parents'. "Newest" is the highest sequence, then the higher folder name; never the latest clock.
   */
  readonly sequence: number
  /** As the manifest says. For people only. */
  readonly createdAt: StoreTime
  /** What lists and chain planning need of the manifest; opaque to the store. */
  readonly summary: Json
}
/** Cache of the flag files beside the manifest. */
export interface Flags {
  /** Why it stays until a person removes the pin. */
  readonly pin?: string
  /** Not deleted before. */
  readonly holdUntil?: StoreTime
  /** Why it does not count as good. */
  readonly quarantine?: string
  /** When every byte was last found right. */
  readonly verifiedAt?: StoreTime
}

/** All that is known of one workload in one repository, at one moment. */
export interface Catalog {
  /** Raised by every change to this workload's points, flags, reads and targets. */
  readonly version: number
  /** Every row, condemned ones included: one for each number. */
  readonly points: readonly (PointRow & { readonly condemned: boolean; readonly flags: Flags })[]
  /** Reads and targets of all unfinished runs. */
  readonly inUse: readonly ManifestRef[]
}

/** What is known of the repositories. */
export interface PointStore {
  /** Every workload with at least one row here, condemned ones included. */
  workloads(repository: string, options: CallOptions): AsyncIterable<string>
  /** One consistent reading; empty, with a version, for a workload that is not known. */
  catalog(repository: string, workload: string, options: CallOptions): Promise<Catalog>
  /** Rescan. Applies only to `version`; never touches condemned rows or targets of unfinished runs. False: look again. */
  sync(
    lease: Lease,
    repository: string,
    workload: string,
    version: number,
    add: readonly (PointRow & { readonly flags: Flags })[],
    remove: readonly ManifestRef[],
    options: CallOptions,
  ): Promise<boolean>
  /**
   * Changes only the named flags, null removes. Throws POINT_CONDEMNED. Set: store, then file, then acknowledge. Remove: file first, then store.
   * `lease`: for runs (verify); a person's pin has none.
   */
  flag(
    repository: string,
    folder: string,
    patch: { readonly [K in keyof Flags]: Flags[K] | null },
    options: CallOptions & { readonly lease?: Lease },
  ): Promise<void>
  /** Prune's point of no return: applies only to `version`, cannot be undone. False: plan again. */
  condemn(
    lease: Lease,
    repository: string,
    workload: string,
    version: number,
    manifests: readonly ManifestRef[],
    options: CallOptions,
  ): Promise<boolean>
  /** After the bytes of condemned manifests are gone. Rows that are not condemned stay. Idempotent. */
  forget(lease: Lease, manifests: readonly ManifestRef[], options: CallOptions): Promise<void>
}
