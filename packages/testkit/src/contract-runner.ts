/** What a contract suite needs of a test runner: vitest, node:test, jest, mocha and the like fit as they are. */
export interface ContractRunner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void> | void): void
}
