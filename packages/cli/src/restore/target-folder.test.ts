import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { planItems } from './restore-items.ts'
import { targetError } from './target-errors.ts'
import { openTarget } from './target-folder.ts'

async function world() {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-target-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const repository = join(folder, 'repository')
  await mkdir(repository)
  return { folder, repository }
}

it('a new folder is made with what is above it, readable by its owner only, and taken back while it is empty', async () => {
  const { folder, repository } = await world()
  const target = await openTarget(join(folder, 'a/b/c'), repository)
  expect((await stat(join(folder, 'a/b/c'))).mode & 0o777).toBe(0o700)
  await target.giveUp()
  expect(await readdir(folder)).toEqual(['repository'])
  const again = await openTarget(join(folder, 'a/b'), repository)
  await again.file('f', async (handle) => void (await handle.write('x')))
  await again.giveUp()
  expect(await readFile(join(folder, 'a/b/f'), 'utf8')).toBe('x')
})

it('a folder with anything in it is refused, a hidden name too, and so are files and what lies in the repository, however it is named', async () => {
  const { folder, repository } = await world()
  const refusal = (path: string) =>
    openTarget(path, repository).then(
      () => undefined,
      (error: unknown) => error,
    )
  await mkdir(join(folder, 'full'))
  await writeFile(join(folder, 'full/.disk.qcow2.unfinished'), '')
  await symlink(repository, join(folder, 'link'))
  expect(await refusal(join(folder, 'full'))).toMatchObject({
    code: 'EXISTS',
    message: expect.stringContaining('from a restore that was killed'),
  })
  expect(await refusal(folder)).toMatchObject({ code: 'EXISTS', remedy: expect.stringContaining(`--into ${join(folder, 'restored')}`) })
  expect(await refusal(join(folder, 'full/.disk.qcow2.unfinished'))).toMatchObject({
    code: 'EXISTS',
    message: expect.stringContaining('no folder'),
  })
  for (const inside of [repository, join(repository, 'x/y'), join(folder, 'link'), join(folder, 'link/new')])
    expect(await refusal(inside), inside).toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('inside the repository'),
    })
  expect(await readdir(repository)).toEqual([])
  expect(await openTarget(join(folder, 'repository-2'), repository)).toMatchObject({ path: join(folder, 'repository-2') })
})

it('what fails half-way leaves nothing, also when it forbids its own removal', async () => {
  const { folder, repository } = await world()
  const target = await openTarget(join(folder, 't'), repository)
  const broken = new Error('half-way')
  const seen: string[][] = []
  await expect(
    target.file('f', async (handle) => {
      await handle.write('half')
      seen.push(await readdir(target.path))
      throw broken
    }),
  ).rejects.toBe(broken)
  await expect(
    target.folder('d', async (path) => {
      await mkdir(join(path, 'closed/deep'), { recursive: true })
      await writeFile(join(path, 'closed/deep/f'), 'x')
      await chmod(join(path, 'closed/deep'), 0o500)
      await chmod(join(path, 'closed'), 0o500)
      seen.push(await readdir(target.path))
      throw broken
    }),
  ).rejects.toBe(broken)
  expect(seen).toEqual([['.f.unfinished'], ['.d.unfinished']])
  expect(await readdir(target.path)).toEqual([])
})

it('a name that somebody else has made meanwhile is not replaced', async () => {
  const { folder, repository } = await world()
  const target = await openTarget(join(folder, 't'), repository)
  await writeFile(join(folder, 't/f'), 'theirs')
  await expect(target.file('f', async (handle) => void (await handle.write('ours')))).rejects.toMatchObject({ code: 'EXISTS' })
  expect(await readFile(join(folder, 't/f'), 'utf8')).toBe('theirs')
})

it('errors of the file system say what, where, and what to do', () => {
  const thrown = (code: string) => Object.assign(new Error(`${code}: words, write`), { code, syscall: 'write' })
  expect(targetError(thrown('ENOSPC'), '/t/f')).toMatchObject({
    code: 'DISK_FULL',
    message: 'cannot write /t/f: no space is left there (ENOSPC)',
    remedy: expect.stringContaining('--into'),
  })
  expect(targetError(thrown('EACCES'), '/t/f')).toMatchObject({ code: 'ACCESS_DENIED' })
  expect(targetError(thrown('EFBIG'), '/t/f')).toMatchObject({ code: 'UNSUPPORTED' })
  expect(targetError(thrown('EIO'), '/t/f')).toMatchObject({ code: 'PROVIDER_FAILED', message: expect.stringContaining('EIO: words') })
  const other = new Error('not of the file system')
  expect(targetError(other, '/t/f')).toBe(other)
})

it('items get the names of their files, without what the repository added, and no two the same', () => {
  const file = (path: string) => ({ path, size: 1, sha256: '' })
  const stream = { type: 'stream', format: 'tar', form: 'zstd', name: 'x', size: 1, sha256: '' } as const
  const disk = { type: 'disk', file: file('1/disk-0.qcow2') }
  const items = [
    disk,
    { ...stream, file: file('1/v.tar.zst') },
    { ...stream, form: 'gzip', file: file('2/archive.gz') },
    { ...stream, form: 'kept', format: 'vmdk', file: file('1/web-0.vmdk') },
    { ...stream, form: 'kept', format: 'bytes', file: file('1/v.TAR') },
    { ...stream, form: 'kept', format: 'bytes', file: file('1/notes.gz') },
  ] as never
  const names = (options: Parameters<typeof planItems>[1]) => planItems({ items }, options).map(({ name, kind }) => [name, kind])
  expect(names({ extract: false, format: 'qcow2' })).toEqual([
    ['disk-0.qcow2', 'disk'],
    ['v.tar', 'archive'],
    ['archive.tar', 'archive'],
    ['web-0.vmdk', 'disk'],
    ['v.TAR-2', 'file'],
    ['notes.gz', 'file'],
  ])
  expect(names({ extract: true, format: 'raw' }).slice(0, 3)).toEqual([
    ['disk-0.raw', 'disk'],
    ['v', 'folder'],
    ['archive', 'folder'],
  ])
})

it('a path that leads nowhere is told as what it is', async () => {
  const { folder, repository } = await world()
  await symlink(join(folder, 'not-there'), join(folder, 'dangling'))
  await symlink(join(folder, 'loop'), join(folder, 'loop'))
  await writeFile(join(folder, 'file'), '')
  const refusals = { dangling: 'leads nowhere', loop: 'in a circle', 'file/below': 'is a file' }
  for (const [path, words] of Object.entries(refusals))
    await expect(
      openTarget(join(folder, path), repository).catch((error: unknown) => {
        throw targetError(error, path)
      }),
    ).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(words) })
})
