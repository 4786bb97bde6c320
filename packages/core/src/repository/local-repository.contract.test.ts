import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { localRepository } from './local-repository.ts'

describe('local repository', () => {
  repositoryContract({
    describe,
    it,
    abilities: { alias: true, createIfAbsent: 'atomic' },
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-repository-'))
      return {
        repository: localRepository({ folder }),
        reopen: async () => localRepository({ folder }),
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
      }
    },
  })
})
