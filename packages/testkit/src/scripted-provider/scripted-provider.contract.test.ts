import { describe, it } from 'vitest'
import { providerContract } from '../provider-contract/provider-contract.ts'
import { scriptedProviderUnderTest } from './provider-fixtures.ts'
import { providerShapes } from './scripted-provider.ts'

for (const shape of providerShapes) {
  describe(`scripted provider ${shape}`, () => {
    providerContract({
      describe,
      it,
      create: () => scriptedProviderUnderTest(shape),
      replaces: shape.startsWith('tar'),
      secrets: ['canary-secret'],
    })
  })
}
