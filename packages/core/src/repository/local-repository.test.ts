import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakeClock } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, collectBytes, type FileSystem, type Repository } from '../spec/index.ts'
import { localRepository } from './local-repository.ts'
import { nodeFileSystem } from './node-file-system.ts'

const { signal } = new AbortController()
let above: string
let folder: string
let repository: Repository

beforeEach(async () => {
  above = await mkdtemp(join(tmpdir(), 'holdfast-local-'))
  folder = join(above, 'backup')
  await mkdir(folder)
  repository = localRepository({ folder })
})
afterEach(() => rm(above, { recursive: true, force: true }))

const put = (path: string, content: string, ifAbsent = false) => repository.put(path, bytesOf(content), { signal, ifAbsent })

async function listed(of: Repository = repository): Promise<readonly string[]> {
  const names: string[] = []
  for await (const { path } of of.list('', { signal })) names.push(path)
  return names.toSorted()
}

const alias = (path: string, target: string): Promise<void> | undefined => repository.alias?.(path, target, { signal })

describe('local repository: its folder', () => {
  it('must be an absolute path', () => {
    expect(() => localRepository({ folder: 'backup' })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('"backup"') }),
    )
  })

  it('is named when it is misspelt; what is not an option is refused', () => {
    const given = (options: object) => () => localRepository(options as { folder: string })
    expect(given({ path: '/srv/backup' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/^localRepository: path is not known here; known: folder, .*; folder is missing/),
        remedy: 'Did you mean "folder"?',
      }),
    )
    expect(given({ folder, directIo: 'always' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringContaining(`directIo is "always"; expected 'auto' or 'never'`),
      }),
    )
    expect(given({ folder, bogus: 1 })).toThrow(expect.objectContaining({ message: expect.stringContaining('bogus is not known here') }))
  })

  it('is missed by every call when it is not there, and made by none but the put of repository.json', async () => {
    await rm(folder, { recursive: true })
    const calls = [
      () => put('a/x', 'x'),
      () => put('a/x', '', true),
      () => repository.open('a/x', { signal }),
      () => repository.open('repository.json', { signal }),
      () => listed(),
      () => repository.sync('a', { signal }),
      () => repository.delete('a/x', { signal }),
      () => repository.delete('a/', { signal }),
      () => alias('a/y', 'a/x'),
    ]
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({ code: 'REPOSITORY_MISSING', message: expect.stringContaining(folder), retryable: true })
    }
    expect(await repository.check({ signal })).toMatchObject([
      { name: 'reachable', status: 'error', details: { code: 'REPOSITORY_MISSING' } },
    ])
    expect(await readdir(above)).toEqual([])
    await put('repository.json', '{}', true)
    expect(await listed()).toEqual(['repository.json'])
  })

  it('is made with what is missing above it, for nobody else to read', async () => {
    repository = localRepository({ folder: join(above, 'new/one') })
    await put('repository.json', '{}', true)
    await put('a/1/disk', 'bytes')
    await put('a/manifest.1.json', '')
    for (const made of ['new', 'new/one', 'new/one/a', 'new/one/a/1'])
      expect((await stat(join(above, made))).mode & 0o777, made).toBe(0o700)
    for (const made of ['repository.json', 'a/1/disk', 'a/manifest.1.json']) {
      expect((await stat(join(above, 'new/one', made))).mode & 0o777, made).toBe(0o600)
    }
  })

  it('may be reached through a symbolic link, also one that is turned to another disk', async () => {
    await symlink(folder, join(above, 'link'))
    repository = localRepository({ folder: join(above, 'link') })
    await put('a/x', 'here')
    await rename(folder, join(above, 'moved'))
    await expect(put('a/y', 'x')).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
    await rm(join(above, 'link'))
    await symlink(join(above, 'moved'), join(above, 'link'))
    await put('a/y', 'there')
    expect(await listed()).toEqual(['a/x', 'a/y'])
  })

  it('is checked without writing, and low space is a warning', async () => {
    expect(await repository.check({ signal })).toMatchObject([{ status: 'ok' }, { name: 'writable', status: 'ok' }, { name: 'free space' }])
    const fileSystem: FileSystem = { ...nodeFileSystem(), space: async () => ({ freeBytes: 40 << 20, totalBytes: 1 << 30 }) }
    const checks = await localRepository({ folder, fileSystem }).check({ signal })
    expect(checks[2]).toMatchObject({ status: 'warning', message: `40 MiB of 1 GiB are free at ${folder}` })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('local repository: symbolic links and other traps inside', () => {
  it('refuses to go through a link, wherever it leads, and leaves what is outside alone', async () => {
    const outside = join(above, 'outside')
    await mkdir(join(outside, '1'), { recursive: true })
    await writeFile(join(outside, 'x'), 'not ours')
    await mkdir(join(folder, 'inside'))
    await put('a/x', 'ours')
    for (const target of [outside, join(folder, 'inside')]) {
      await symlink(target, join(folder, 'trap'))
      const calls = [
        () => put('trap/x', 'overwritten'),
        () => put('trap/1/new', 'new', true),
        () => put('trap/empty', '', true),
        () => repository.delete('trap/x', { signal }),
        () => repository.delete('trap/', { signal }),
        () => repository.sync('trap', { signal }),
        () => alias('trap/y', 'a/x'),
      ]
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
      await rm(join(folder, 'trap'))
    }
    await symlink(outside, join(folder, 'trap'))
    await expect(repository.open('trap/x', { signal })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
    expect(await listed()).toEqual(['a/x'])
    expect(await readdir(outside)).toEqual(['1', 'x'])
    expect(await readFile(join(outside, 'x'), 'utf8')).toBe('not ours')
    expect(await readdir(join(outside, '1'))).toEqual([])
  })

  it('neither reads nor writes through a file that is a link', async () => {
    await writeFile(join(above, 'secret'), 'not ours')
    await symlink(join(above, 'secret'), join(folder, 'x'))
    await expect(repository.open('x', { signal })).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
    await expect(put('x', '')).rejects.toMatchObject({ code: 'PATH_OUTSIDE' })
    await expect(put('x', 'new', true)).rejects.toMatchObject({ code: 'EXISTS' })
    await put('x', 'ours')
    expect((await lstat(join(folder, 'x'))).isFile()).toBe(true)
    expect(await readFile(join(above, 'secret'), 'utf8')).toBe('not ours')
  })

  it('deletes a link, not what it names', async () => {
    await writeFile(join(above, 'secret'), 'not ours')
    await mkdir(join(folder, 'a'))
    await symlink(join(above, 'secret'), join(folder, 'a/x'))
    await symlink(above, join(folder, 'a/folder'))
    await repository.delete('a/', { signal })
    expect(await readdir(folder)).toEqual([])
    expect(await readFile(join(above, 'secret'), 'utf8')).toBe('not ours')
  })

  it('does not take a record of an alias that leads outside for its own', async () => {
    await put('a/x', 'ours')
    await writeFile(join(above, 'secret'), 'not ours')
    await symlink('../../secret', join(folder, 'a/.x~alias-hostile'))
    await symlink('../repository.json', join(folder, 'a/.x~alias-wrong'))
    await put('repository.json', '{}')
    await repository.delete('a/x', { signal })
    expect(await readFile(join(above, 'secret'), 'utf8')).toBe('not ours')
    expect(await readdir(folder)).toEqual(['repository.json'])
  })
})

describe('local repository: a path that is, or leads through, a file', () => {
  const calls: { readonly [call: string]: (of: Repository) => Promise<unknown> } = {
    'a first put': (of) => of.put('repository.json', bytesOf('{}'), { signal, ifAbsent: true }),
    'a list': (of) => listed(of),
    'a read': (of) => of.open('repository.json', { signal }),
    'a sync': (of) => of.sync('a', { signal }),
    'a delete': (of) => of.delete('a/', { signal }),
  }
  it.each(Object.entries(calls))('is told as that to %s, and trying again does not help', async (_call, call) => {
    const file = join(above, 'file')
    await writeFile(file, 'precious')
    await symlink(file, join(above, 'link'))
    for (const path of [file, join(above, 'link')])
      await expect(call(localRepository({ folder: path }))).rejects.toMatchObject({
        code: 'INVALID_OPTIONS',
        retryable: false,
        message: `a repository is a folder, and ${path} is a file`,
        remedy: expect.stringContaining('Name a folder'),
      })
    expect(await readFile(file, 'utf8')).toBe('precious')
  })

  it('below a file, is told with the name of that file', async () => {
    const file = join(above, 'file')
    await writeFile(file, 'precious')
    const below = localRepository({ folder: join(file, 'a', 'b') })
    await expect(calls['a first put']?.(below)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: `a repository is a folder, and ${join(file, 'a', 'b')} cannot be one: ${file} is a file`,
    })
  })

  it('is what a health check says', async () => {
    await writeFile(join(above, 'file'), '')
    expect(await localRepository({ folder: join(above, 'file') }).check({ signal })).toEqual([
      {
        name: 'reachable',
        status: 'error',
        message: expect.stringContaining('is a file'),
        details: { code: 'INVALID_OPTIONS', remedy: expect.any(String) },
      },
    ])
  })
})

describe('local repository: what killed writers leave', () => {
  const leave = async (...names: readonly string[]): Promise<void> => {
    await mkdir(join(folder, 'a/1'), { recursive: true })
    for (const name of names) await writeFile(join(folder, 'a/1', name), 'half')
  }

  it('is hidden, and goes when the name is decided: by a put, by EXISTS, by a delete', async () => {
    const decisions = [
      () => put('a/1/disk', 'x'),
      () => put('a/1/disk', 'x', true),
      () => put('a/1/disk', '', true),
      () => put('a/1/disk', ''),
      async () => {
        await writeFile(join(folder, 'a/1/disk'), 'taken')
        await expect(put('a/1/disk', 'x', true)).rejects.toMatchObject({ code: 'EXISTS' })
      },
      async () => {
        await writeFile(join(folder, 'a/1/disk'), 'taken')
        await expect(put('a/1/disk', '', true)).rejects.toMatchObject({ code: 'EXISTS' })
      },
    ]
    for (const decide of decisions) {
      await leave('.disk~dead1', '.disk~dead2', '.disk.sums~other')
      expect(await listed()).toEqual([])
      await decide()
      expect((await readdir(join(folder, 'a/1'))).toSorted()).toEqual(['.disk.sums~other', 'disk'])
      await repository.delete('a/', { signal })
      expect(await readdir(folder)).toEqual([])
    }
    await leave('.disk~dead1')
    await repository.delete('a/1/disk', { signal })
    expect(await readdir(folder)).toEqual([])
  })

  it('makes a writer that was frozen meanwhile fail, not win', async () => {
    let thaw: () => void = () => undefined
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve
    })
    async function* slow(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new TextEncoder().encode('frozen')
      await frozen
    }
    const zombie = repository.put('a/manifest.1.json', slow(), { signal, ifAbsent: true })
    await expect.poll(() => readdir(join(folder, 'a')).catch(() => [])).not.toEqual([])
    await put('a/manifest.1.json', '', true)
    thaw()
    await expect(zombie).rejects.toMatchObject({ code: 'EXISTS' })
    expect(await readFile(join(folder, 'a/manifest.1.json'), 'utf8')).toBe('')
    expect(await readdir(join(folder, 'a'))).toEqual(['manifest.1.json'])
  })

  it('makes a writer whose folder was deleted meanwhile fail', async () => {
    async function* slow(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new TextEncoder().encode('x')
      await repository.delete('a/1/', { signal })
    }
    await expect(repository.put('a/1/disk', slow(), { signal, ifAbsent: true })).rejects.toMatchObject({
      code: 'REPOSITORY_FAILED',
      retryable: true,
    })
    expect(await readdir(folder)).toEqual([])
  })

  it('leaves no temporary file behind when a put is aborted or broken', async () => {
    const controller = new AbortController()
    async function* stopped(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(2 << 20)
      controller.abort()
      yield new Uint8Array(1)
    }
    await expect(repository.put('a/x', stopped(), { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(repository.put('a/x', bytesOf('x'), { signal, size: 2 })).rejects.toMatchObject({ code: 'TRUNCATED' })
    expect(await readdir(join(folder, 'a'))).toEqual([])
  })
})

describe('local repository: file systems that differ', () => {
  it('believes its own link when the server answers EEXIST to the repeated request', async () => {
    const real = nodeFileSystem()
    const resent: FileSystem = {
      ...real,
      async link(from, to) {
        await real.link(from, to)
        await real.link(from, to)
      },
    }
    repository = localRepository({ folder, fileSystem: resent })
    await put('a/manifest.1.json', 'mine', true)
    expect(await readdir(join(folder, 'a'))).toEqual(['manifest.1.json'])
    await expect(put('a/manifest.1.json', 'again', true)).rejects.toMatchObject({ code: 'EXISTS' })
  })

  it('says so when there are no hard links', async () => {
    const refused: FileSystem = {
      ...nodeFileSystem(),
      link: async () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM', syscall: 'link' })),
    }
    repository = localRepository({ folder, fileSystem: refused })
    await expect(put('a/x', 'x', true)).rejects.toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining(folder) })
    expect(await readdir(join(folder, 'a'))).toEqual([])
  })

  it('passes an error of the stream on, even if it looks like one of the disk', async () => {
    const mine = Object.assign(new Error('the source is full'), { code: 'ENOSPC', syscall: 'write' })
    async function* broken(): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array(1)
      throw mine
    }
    await expect(repository.put('a/x', broken(), { signal })).rejects.toBe(mine)
  })

  it('measures age with its clock against the time of the file', async () => {
    const clock = fakeClock({ start: Date.UTC(2026, 10, 20) })
    repository = localRepository({ folder, clock })
    await put('a/x', 'x')
    await utimes(join(folder, 'a/x'), new Date(clock.now() - 5000), new Date(clock.now() - 5000))
    for await (const { ageMs } of repository.list('', { signal })) expect(ageMs).toBe(5000)
  })

  it('tells a file that was cut while it was read', async () => {
    await put('a/x', '0123456789')
    const file = await repository.open('a/x', { signal })
    await writeFile(join(folder, 'a/x'), '012')
    await expect(collectBytes(file.stream({ start: 0, end: 10 }, { signal }), 100)).rejects.toMatchObject({ code: 'TRUNCATED' })
    await expect(file.readInto(new Uint8Array(10), 0, { signal })).rejects.toMatchObject({ code: 'TRUNCATED' })
    await file[Symbol.asyncDispose]()
  })

  it('says which path cannot be read and why, to whoever may not', async () => {
    await put('a/x', 'x')
    await chmod(join(folder, 'a/x'), 0)
    const denied: FileSystem = {
      ...nodeFileSystem(),
      open: async () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES', syscall: 'open' })),
    }
    await expect(localRepository({ folder, fileSystem: denied }).open('a/x', { signal })).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      retryable: true,
      message: `cannot open 'a/x' in the repository at ${folder}: permission is denied (EACCES)`,
      details: { errno: 'EACCES', folder },
    })
    const closed: FileSystem = {
      ...nodeFileSystem(),
      readdir: async () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM', syscall: 'scandir' })),
    }
    await expect(listed(localRepository({ folder, fileSystem: closed }))).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      message: `cannot list '' in the repository at ${folder}: the operation is not permitted (EPERM)`,
    })
  })
})
