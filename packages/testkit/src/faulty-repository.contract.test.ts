import { describe, it } from 'vitest'
import { fakeClock } from './fake-clock.ts'
import { faultyRepository, noFaults } from './faulty-repository.ts'
import { seededRandom } from './random.ts'
import { repositoryContract } from './repository-contract/repository-contract.ts'

describe('faulty repository without faults', () => {
  repositoryContract({
    describe,
    it,
    abilities: { alias: false, createIfAbsent: 'atomic' },
    async create() {
      const repository = faultyRepository({ random: seededRandom(1), clock: fakeClock(), faults: noFaults })
      return { repository, reopen: async () => repository.view(() => undefined), [Symbol.asyncDispose]: async () => undefined }
    },
  })
})
