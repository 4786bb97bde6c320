import type { DiskFormat } from '@holdfast/core/offline'
import type { ExitCode } from './exit-codes.ts'
import type { Host } from './host.ts'

/** The words of a command after they were parsed. */
export interface Words {
  /** The folder of the repository, as it was written. */
  readonly folder: string
  /** What follows the folder: ids of points. */
  readonly points: readonly string[]
  readonly json: boolean
  readonly workload?: string
  readonly quick: boolean
  readonly into?: string
  readonly extract: boolean
  /** `-` or an address. */
  readonly to?: string
  /** Key of a disk. */
  readonly disk?: string
  readonly format: DiskFormat
}

/** Options that exist; each command takes some of them. */
export type OptionName = 'json' | 'workload' | 'quick' | 'into' | 'to' | 'disk' | 'extract' | 'format'

/** One command of `holdfast`. */
export interface Command {
  readonly name: string
  /** What follows the name. */
  readonly usage: string
  readonly summary: string
  /** Paragraphs and examples, below usage and summary. */
  readonly details: string
  readonly options: readonly OptionName[]
  /** How many points may be named. */
  readonly points: { readonly least: number; readonly most: number }
  run(words: Words, host: Host): Promise<ExitCode>
}
