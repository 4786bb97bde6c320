import { describe, it } from 'vitest'
import { memoryRepository } from './memory-repository.ts'
import { repositoryContract } from './repository-contract/repository-contract.ts'

describe('memory repository', () => {
  repositoryContract({
    describe,
    it,
    abilities: { alias: true, createIfAbsent: 'atomic' },
    async create() {
      const repository = memoryRepository()
      return { repository, reopen: async () => repository, [Symbol.asyncDispose]: async () => undefined }
    },
  })
})
