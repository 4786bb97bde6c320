import { backupContract } from './backup-contract.ts'
import { type ProviderTests, withFixture } from './contract-fixture.ts'
import { inventoryContract, optionsContract } from './inventory-contract.ts'
import type { ProviderContractOptions } from './provider-under-test.ts'
import { restoreContract } from './restore-contract.ts'
import { snapshotContract } from './snapshot-contract.ts'
import { undoContract } from './undo-contract.ts'

/**
 * What every provider must do, as tests: it reads only where it may, marks what it makes, stores intents before side effects, can be undone by
 * another instance, twice, and gives back the bytes it took. `BASE_LOST` and consistency need a platform that can be told to fail: test
 * them beside the provider.
 *
 * @example
 * ```ts
 * providerContract({ describe, it, create: async () => ({ provider, another, workload: 'vm-1', things }) })
 * ```
 */
export function providerContract(options: ProviderContractOptions): void {
  const groups: { readonly [name: string]: ProviderTests } = {
    inventory: inventoryContract,
    options: optionsContract,
    backup: backupContract,
    undo: undoContract,
    restore: restoreContract,
    snapshots: snapshotContract,
  }
  for (const [group, tests] of Object.entries(groups)) {
    options.describe(group, () => {
      for (const [name, body] of Object.entries(tests)) options.it(name, () => withFixture(options, body))
    })
  }
}
