import type { Repository } from '@holdfast/core/spec'
import type { ContractRunner } from '../contract-runner.ts'
import { abortContract } from './abort-contract.ts'
import { aliasContract, noAliasContract } from './alias-contract.ts'
import type { ContractFixture, ContractTests, RepositoryAbilities, RepositoryUnderTest } from './contract-fixture.ts'
import { deleteContract } from './delete-contract.ts'
import { listContract } from './list-contract.ts'
import { openContract } from './open-contract.ts'
import { pathsContract } from './paths-contract.ts'
import { putContract, wholeContract } from './put-contract.ts'
import { raceContract } from './race-contract.ts'
import { checkContract, syncContract } from './sync-contract.ts'

/** What {@link repositoryContract} needs: a test runner, repositories, and what these can do. */
export interface RepositoryContractOptions extends ContractRunner {
  /** A fresh, empty repository for each test. */
  create(): Promise<RepositoryUnderTest>
  readonly abilities: RepositoryAbilities
  /** Awaited before each list, for storage whose list lags behind. */
  settle?(): Promise<void>
}

/**
 * What every repository must do, as tests. Retention and durability over a power loss are not in it: the first needs a storage with locks, the second
 * one whose plug can be pulled.
 *
 * @example
 * ```ts
 * repositoryContract({ describe, it, create, abilities: { alias: false, createIfAbsent: 'atomic' } })
 * ```
 */
export function repositoryContract(options: RepositoryContractOptions): void {
  const groups: { readonly [name: string]: ContractTests } = {
    put: putContract,
    'put whole': wholeContract,
    open: openContract,
    list: listContract,
    delete: deleteContract,
    alias: options.abilities.alias ? aliasContract : noAliasContract,
    sync: syncContract,
    paths: pathsContract,
    abort: abortContract,
    races: raceContract,
    check: checkContract,
  }
  for (const [group, tests] of Object.entries(groups)) {
    options.describe(group, () => {
      for (const [name, body] of Object.entries(tests)) options.it(name, () => withFixture(options, body))
    })
  }
}

async function withFixture(options: RepositoryContractOptions, body: (fixture: ContractFixture) => Promise<void>): Promise<void> {
  const made = await options.create()
  const signal = new AbortController().signal
  const { repository } = made
  try {
    await body({
      repository,
      ...(made.reopen && { reopen: () => (made.reopen as () => Promise<Repository>)() }),
      abilities: options.abilities,
      signal,
      async listed(prefix) {
        await options.settle?.()
        const names: string[] = []
        for await (const { path } of repository.list(prefix, { signal })) names.push(path)
        return names.toSorted()
      },
      [Symbol.asyncDispose]: async () => undefined,
    })
  } finally {
    await made[Symbol.asyncDispose]()
  }
}
