import type { BenchArguments } from './arguments.ts'
import type { BenchLine } from './statistics.ts'

/** What every bench is given. */
export interface BenchContext extends BenchArguments {
  /** For everything on the disk; removed afterwards. */
  readonly folder: string
  print(line: BenchLine): void
  /** For people, on standard error. */
  say(text: string): void
}
