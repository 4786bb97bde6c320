import { defineConfig } from 'vitest/config'

const source = { resolve: { conditions: ['@holdfast/source'] }, ssr: { resolve: { conditions: ['@holdfast/source'] } } }

// Not a measure of speed: a busy machine with two cores is slow, and a test that hangs is found all the same.
const patience = { testTimeout: 30_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    reporters: ['default', './scripts/peers/peers-reporter.ts'],
    // Nothing is written beside the temporary folders of the tests, so a second user can run them in the same checkout.
    cache: false,
    projects: [
      {
        ...source,
        test: {
          ...patience,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts', 'bench/*.test.ts'],
          exclude: ['**/*.contract.test.ts'],
        },
      },
      {
        ...source,
        test: { ...patience, name: 'contract', include: ['packages/*/{src,test}/**/*.contract.test.ts', 'examples/**/*.contract.test.ts'] },
      },
      {
        ...source,
        test: {
          name: 'integration',
          include: ['packages/*/test/**/*.integration.test.ts', 'examples/**/*.integration.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
