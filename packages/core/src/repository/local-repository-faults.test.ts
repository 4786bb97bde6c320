import { countingIds, type FileSystemFault, failingFileSystem, fakeClock, powerLossFileSystem } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { bytesOf, codeOf, collectBytes, type FileSystem, HoldfastError, type Repository } from '../spec/index.ts'
import { localRepository } from './local-repository.ts'

const { signal } = new AbortController()
const old = 'the old version'
const fresh = 'the new version, in several writes'

async function* inParts(content: string): AsyncGenerator<Uint8Array, void, undefined> {
  for (const part of content.match(/.{1,9}/gs) ?? []) yield new TextEncoder().encode(part)
}

const operations: { readonly [name: string]: (repository: Repository) => Promise<unknown> } = {
  'a creation': (repository) => repository.put('new/p/1/file', inParts(fresh), { signal, ifAbsent: true }),
  'a creation of an empty file': (repository) => repository.put('new/p/1/file', bytesOf(''), { signal, ifAbsent: true }),
  'a creation of a taken name': (repository) => repository.put('a/1/file', inParts(fresh), { signal, ifAbsent: true }).catch(unlessExists),
  'a replacement': (repository) => repository.put('a/1/file', inParts(fresh), { signal }),
  'a replacement by an empty file': (repository) => repository.put('a/1/file', bytesOf(''), { signal }),
  'a first put': (repository) => repository.put('repository.json', inParts(fresh), { signal, ifAbsent: true }),
  'a delete': (repository) => repository.delete('a/1/file', { signal }),
  'a delete of a folder': (repository) => repository.delete('a/', { signal }),
  'a sync': (repository) => repository.sync('a/1', { signal }),
  'an alias': async (repository) => repository.alias?.('a/2/other', 'a/1/file', { signal }),
  'a list': async (repository) => {
    const names: string[] = []
    for await (const { path } of repository.list('', { signal })) names.push(path)
    expect(names).toEqual(['a/1/file'])
  },
  'a read': async (repository) => {
    expect(await contentOf(repository, 'a/1/file')).toBe(old)
  },
  'a health check': async (repository) => {
    const checks = await repository.check({ signal })
    for (const { status, message } of checks) if (status === 'error') throw new HoldfastError('REPOSITORY_FAILED', message)
  },
}

const faults: readonly FileSystemFault[] = ['EIO', 'ENOSPC', 'EMFILE', 'ETIMEDOUT', 'EACCES', 'EROFS', 'short write', 'failed sync']

const reads: ReadonlySet<string> = new Set(['a list', 'a read'])

function expectedCode(fault: FileSystemFault, name: string): string | undefined {
  if (fault === 'ENOSPC') return 'DISK_FULL'
  if (fault === 'EACCES') return reads.has(name) ? 'ACCESS_DENIED' : 'REPOSITORY_NOT_WRITABLE'
  return fault === 'EROFS' ? 'REPOSITORY_NOT_WRITABLE' : undefined
}

function unlessExists(error: unknown): void {
  if (codeOf(error) !== 'EXISTS') throw error
}

async function contentOf(repository: Repository, path: string): Promise<string> {
  const file = await repository.open(path, { signal })
  try {
    return new TextDecoder().decode(await collectBytes(file.stream({ start: 0, end: file.size }, { signal }), 1 << 20))
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

const repositoryOn = (fileSystem: FileSystem, ids: string): Repository =>
  localRepository({ folder: '/backup', fileSystem, clock: fakeClock(), ids: countingIds(ids) })

async function visible(repository: Repository): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>()
  for await (const { path } of repository.list('', { signal })) files.set(path, await contentOf(repository, path))
  return files
}

async function failCall(name: string, fault: FileSystemFault, at: number): Promise<boolean> {
  const { fileSystem } = powerLossFileSystem()
  await fileSystem.mkdir('/backup')
  const sound = repositoryOn(fileSystem, 'sound')
  await sound.put('a/1/file', bytesOf(old), { signal })
  const failing = failingFileSystem(fileSystem, { at, fault })
  const error: unknown = await operations[name]?.(repositoryOn(failing.fileSystem, 'failing')).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const where = `call ${at}, ${failing.failed}`
  if (error !== undefined) expect(HoldfastError.isInstance(error), `${where}: ${error}`).toBe(true)
  if (error !== undefined && codeOf(error) !== 'REPOSITORY_FAILED') expect(codeOf(error), where).toBe(expectedCode(fault, name))
  if (fault === 'short write' || !failing.fired) expect(error, where).toBe(undefined)
  expect(failing.syncedAgain, where).toBe(false)
  for (const [path, content] of await visible(sound)) expect(['', old, fresh], `${where}: ${path}`).toContain(content)
  for (const folder of ['a/', 'new/']) await sound.delete(folder, { signal })
  await sound.delete('repository.json', { signal })
  expect(await fileSystem.readdir('/backup'), where).toEqual([])
  return failing.fired
}

describe('local repository, faults F2: the Nth call to the file system fails', () => {
  for (const name of Object.keys(operations)) {
    for (const fault of faults) {
      it(`${name} with ${fault} succeeds or fails with a typed error, shows no half file and leaves nothing behind`, async () => {
        let at = 1
        while (await failCall(name, fault, at)) at++
        expect(at).toBeLessThan(200)
      })
    }
  }

  it('fails a put whose sync failed, and shows nothing of it', async () => {
    const { fileSystem } = powerLossFileSystem()
    await fileSystem.mkdir('/backup')
    const failing = failingFileSystem(fileSystem, { at: 1, fault: 'failed sync' })
    const put = repositoryOn(failing.fileSystem, 'failing').put('file', inParts(fresh), { signal, ifAbsent: true })
    await expect(put).rejects.toMatchObject({ code: 'REPOSITORY_FAILED', details: { errno: 'EIO', folder: '/backup' } })
    expect(await fileSystem.readdir('/backup')).toEqual([])
  })
})
