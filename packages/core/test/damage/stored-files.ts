import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Repository } from '@holdfast/core/spec'
import type { MemoryRepository } from '@holdfast/testkit'
import type { StoredFiles } from './damage-world.ts'

const never = { signal: new AbortController().signal }

/** The files of a repository in memory. */
export function filesInMemory(repository: MemoryRepository): StoredFiles {
  const put: Repository['put'] = (path, bytes, options) => repository.put(path, bytes, options)
  return {
    paths: async () => [...repository.snapshot().keys()].sort(),
    read: async (path) => new Uint8Array(repository.snapshot().get(path) ?? []),
    async write(path, bytes) {
      if (bytes === undefined) await repository.delete(path, never)
      else await put(path, one(bytes), never)
    },
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(bytes)
}

/** The files of a repository in a folder. */
export function filesInFolder(folder: string): StoredFiles {
  return {
    async paths() {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true })
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
        .sort()
    },
    read: async (path) => new Uint8Array(await readFile(join(folder, path))),
    async write(path, bytes) {
      if (bytes === undefined) await rm(join(folder, path))
      else await writeFile(join(folder, path), bytes)
    },
  }
}
