import { defineConfig } from 'vitest/config'

const source = { resolve: { conditions: ['@holdfast/source'] }, ssr: { resolve: { conditions: ['@holdfast/source'] } } }

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: { name: 'unit', include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'], exclude: ['**/*.contract.test.ts'] },
      },
      { ...source, test: { name: 'contract', include: ['packages/*/{src,test}/**/*.contract.test.ts'] } },
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
