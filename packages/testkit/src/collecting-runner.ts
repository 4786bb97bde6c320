import type { ContractRunner } from './contract-runner.ts'

/** How one test of a suite went: without `error` it passed. */
export interface ContractResult {
  /** Names of the groups and of the test, joined with ` > `. */
  readonly name: string
  readonly error?: unknown
}

/** A suite that was registered but does not fail: what became of its tests is a list. */
export interface CollectingRunner {
  /** To be handed to the suite, as `describe` and `it` of a test runner are. */
  readonly runner: ContractRunner
  /** Runs what was registered, one test after the other, once; later calls answer the same. */
  results(): Promise<readonly ContractResult[]>
}

/** A runner that reports instead of failing, so that a suite can be pointed at a broken plug-in to see which test catches it. */
export function collectingRunner(): CollectingRunner {
  const groups: string[] = []
  const tests: { readonly name: string; readonly body: () => Promise<void> | void }[] = []
  let outcome: Promise<readonly ContractResult[]> | undefined
  const runner: ContractRunner = {
    describe(name, body) {
      groups.push(name)
      try {
        body()
      } finally {
        groups.pop()
      }
    },
    it(name, body) {
      tests.push({ name: [...groups, name].join(' > '), body })
    },
  }
  async function runAll(): Promise<readonly ContractResult[]> {
    const results: ContractResult[] = []
    for (const { name, body } of tests) {
      try {
        await body()
        results.push({ name })
      } catch (error) {
        results.push({ name, error })
      }
    }
    return results
  }
  return {
    runner,
    results() {
      outcome ??= runAll()
      return outcome
    },
  }
}
