/** What a contract suite needs of a test runner: vitest, node:test, jest, mocha and the like fit as they are. */
export interface ContractRunner {
  /** Opens a group and runs `body` at once, which registers the tests of the group. Groups may lie in groups. */
  describe(name: string, body: () => void): void
  /** Registers a test, to be run later, once. It failed when `body` throws or rejects; a time limit of the runner must leave it some seconds. */
  it(name: string, body: () => Promise<void> | void): void
}
