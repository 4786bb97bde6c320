import type { Json, Provider } from '@holdfast/core/spec'
import type { CollectedItem } from '../collecting-sink.ts'
import type { ContractRunner } from '../contract-runner.ts'
import type { PlatformThing } from '../memory-platform/content.ts'

export type { PlatformThing }

/** A provider with its platform, made for one test. Disposed of at the end of the test, after the provider. */
export interface ProviderUnderTest extends Partial<AsyncDisposable> {
  readonly provider: Provider
  /** A second instance for the same platform, as after a crash. */
  another(): Promise<Provider>
  /** Id of a workload with some bytes in it, which nobody changes during the test. */
  readonly workload: string
  /**
   * Everything there is now, what is hidden or unfinished too: a thing that is left out here is one that no test can miss. Checkpoints that backups keep
   * for the next increment are not things.
   */
  things(): Promise<readonly PlatformThing[]>
}

/** What {@link providerContract} needs: a test runner, a provider with its platform, and what the provider promises beyond the contract. */
export interface ProviderContractOptions extends ContractRunner {
  /** A fresh platform for each test, or one on which names of `newName` are free. */
  create(): Promise<ProviderUnderTest>
  /** A name for a restored workload that is free on the platform. Default: `contract-copy`. */
  newName?(): string
  /** Does a restore with `target` replace a workload? Default false: then it must be refused with UNSUPPORTED. */
  readonly replaces?: boolean
  /** What a person would write for every backup; parsed by the provider first, as the engine does. Default: `{}`. */
  readonly backupOptions?: Json
  /** The same for every restore. */
  readonly restoreOptions?: Json
  /** The same for a probe. Only looked at if the provider has one. */
  readonly probeOptions?: Json
  /**
   * What of an item must be equal in every backup of equal content, a restored copy included; undefined: nothing. Default: the bytes of disks and of
   * streams in format `vmdk` and `tar`, or, where a backup has none of these, of all its items. For dumps that name their own time, and the like.
   */
  contentOf?(item: CollectedItem): Json | undefined
  /** Text given to the provider that must never leave it. */
  readonly secrets?: readonly string[]
  /** How long real time "rejects soon" may take, milliseconds. Default 5,000. */
  readonly soonMs?: number
}
