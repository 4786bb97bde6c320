import type { Json, Provider } from '@holdfast/core/spec'
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
  /** Everything there is now. Checkpoints that backups keep for the next increment are not things. */
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
  /** Options for every backup and restore. Default: `{}`. */
  readonly backupOptions?: Json
  readonly restoreOptions?: Json
  /** Text given to the provider that must never leave it. */
  readonly secrets?: readonly string[]
  /** How long real time "rejects soon" may take, milliseconds. Default 5,000. */
  readonly soonMs?: number
}
