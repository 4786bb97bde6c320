import { createGroup } from './create-group.ts'
import { finishGroup } from './finish-group.ts'
import { leaseGroup } from './lease-group.ts'
import { plansGroup } from './plans-group.ts'
import { pointsGroup } from './points-group.ts'
import { recordsGroup } from './records-group.ts'
import type { StoreContractOptions } from './store-handle.ts'
import { takeGroup } from './take-group.ts'
import { transactionGroup } from './transaction-group.ts'

/**
 * The tests that every `Store` passes. `create` gives each test an empty store whose clock the test moves. Durability is tested if the handle
 * has `reopen`, several processes if it has `another`; a store for more than one process has both.
 *
 * @example
 * ```ts
 * import { describe, it } from 'vitest'
 * storeContract({ describe, it, create: async () => ({ store, advance, dispose }) })
 * ```
 */
export function storeContract(options: StoreContractOptions): void {
  plansGroup(options)
  createGroup(options)
  takeGroup(options)
  leaseGroup(options)
  finishGroup(options)
  pointsGroup(options)
  recordsGroup(options)
  transactionGroup(options)
}
