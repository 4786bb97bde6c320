import { mkdir, mkdtemp, readdir, readFile, readlink, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSystem } from '../spec/file-system.ts'
import { bytesOf } from '../spec/helpers/index.ts'
import { localRepository } from './local-repository.ts'
import { nodeFileSystem } from './node-file-system.ts'

const { signal } = new AbortController()
let above: string
let folder: string
let repository: ReturnType<typeof localRepository>
beforeEach(async () => {
  above = await mkdtemp(join(tmpdir(), 'holdfast-aliases-'))
  folder = join(above, 'repository')
  await mkdir(folder)
  repository = localRepository({ folder })
})
afterEach(() => rm(above, { recursive: true, force: true }))

const put = (path: string, text: string) => repository.put(path, bytesOf(Buffer.from(text)), { signal })
const alias = (path: string, target: string): Promise<void> | undefined => repository.alias?.(path, target, { signal })

describe('local repository: aliases', () => {
  it('are relative links that other programs follow, also after the whole folder was moved', async () => {
    await put('a/p/2/disk', 'merged')
    await alias('a/p/1/disk', 'a/p/2/disk')
    await alias('top', 'a/p/2/disk')
    expect(await readlink(join(folder, 'a/p/1/disk'))).toBe('../2/disk')
    await rename(folder, join(above, 'moved'))
    for (const name of ['a/p/1/disk', 'top']) expect(await readFile(join(above, 'moved', name), 'utf8')).toBe('merged')
  })

  it('vanish with their target, records and all', async () => {
    await put('a/p/2/disk', 'merged')
    await alias('a/p/1/disk', 'a/p/2/disk')
    await alias('a/p/1/disk', 'a/p/2/disk')
    await alias('b/other', 'a/p/2/disk')
    await repository.delete('a/p/2/disk', { signal })
    expect(await readdir(folder)).toEqual([])
  })

  it('have one record each, also when somebody who stood still makes one again', async () => {
    const real = nodeFileSystem()
    const [stands, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const slow: FileSystem = {
      ...real,
      async symlink(target, path) {
        stands.resolve()
        await goesOn.promise
        await real.symlink(target, path)
      },
    }
    await put('a/p/2/disk', 'merged')
    const late = localRepository({ folder, fileSystem: slow }).alias?.('a/p/1/disk', 'a/p/2/disk', { signal })
    await stands.promise
    await alias('a/p/1/disk', 'a/p/2/disk')
    const all = () => readdir(folder, { recursive: true })
    const before = await all()
    goesOn.resolve()
    await late
    expect(await all()).toEqual(before)
    expect(before.filter((name) => name.includes('~alias-'))).toHaveLength(1)
  })

  it('are not read as files', async () => {
    await put('a/p/2/disk', 'merged')
    await alias('a/p/1/disk', 'a/p/2/disk')
    await expect(repository.open('a/p/1/disk', { signal })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
  })
})
