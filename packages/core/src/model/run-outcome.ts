import type { BackupResult } from '../spec/backup.ts'
import type { ByteCounts, RunWarning } from './manifest-types.ts'

/** What a backup made. */
export interface BackupOutcome {
  readonly repository: string
  readonly point: string
  readonly number: number
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly consistency: BackupResult['consistency']
  readonly bytes: ByteCounts
  readonly items: readonly ItemOutcome[]
  readonly skipped: BackupResult['skipped']
  readonly warnings: readonly RunWarning[]
}

/** One disk or stream of a backup; sizes in bytes. */
export interface ItemOutcome {
  readonly name: string
  readonly form: 'full' | 'incremental' | 'kept' | 'zstd' | 'gzip'
  /** Why a disk is full or incremental. */
  readonly reason?: string
  readonly size: number
  readonly stored: number
}

/** What a restore delivered. */
export interface RestoreOutcome {
  readonly repository: string
  readonly point: string
  readonly provider: string
  /** Id on the platform. A test restore has undone it. */
  readonly workload: string
  readonly purpose: 'recover' | 'test'
  readonly probe?: { readonly verdict: 'ok' | 'failed' | 'unknown'; readonly evidence: string }
}

/** Something that verify or rescan found wrong. */
export interface Finding {
  readonly point: string
  /** Path in the repository. */
  readonly file: string
  readonly message: string
}

/** What a verification saw. */
export interface VerifyOutcome {
  readonly repository: string
  readonly mode: 'quick' | 'full'
  /** Points that were looked at. */
  readonly points: number
  readonly bytes: number
  readonly findings: readonly Finding[]
}

/** What a prune deleted. */
export interface PruneOutcome {
  readonly repository: string
  readonly points: readonly string[]
  readonly bytes: number
  /** Of a prune by retention: why each of them went, and how many points stay. */
  readonly reasons?: { readonly [point: string]: string }
  readonly kept?: number
}

/** What a sweep saw. */
export interface SweepOutcome {
  readonly repository: string
  /** There are points that the catalog does not know; a rescan follows. */
  readonly unknownPoints: boolean
}

/** What a rescan changed in the catalog. */
export interface RescanOutcome {
  readonly repository: string
  readonly added: number
  readonly removed: number
  readonly findings: readonly Finding[]
}
