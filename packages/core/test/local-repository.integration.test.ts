import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { localRepository } from '../src/repository/local-repository.ts'
import { bytesOf, codeOf, collectBytes, type Repository } from '../src/spec/index.ts'

const run = promisify(execFile)
const { signal } = new AbortController()

describeWithPeer('root', 'local repository on a disk of 2 MiB', () => {
  let folder: string
  let repository: Repository
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-small-disk-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=0700', 'holdfast-test', folder])
    repository = localRepository({ folder })
  })
  afterEach(async () => {
    await run('umount', [folder])
    await rm(folder, { recursive: true })
  })

  async function* zeros(length: number, chunkBytes = 65536): AsyncGenerator<Uint8Array, void, undefined> {
    const chunk = new Uint8Array(chunkBytes)
    for (let left = length; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length))
  }

  async function fill(): Promise<readonly string[]> {
    for (let number = 1; ; number++) {
      const bytes = number < 3 ? 500_000 : 4096
      const error: unknown = await repository.put(`a/p/${number}/disk`, zeros(bytes), { signal, ifAbsent: true }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (error === undefined) continue
      expect(error).toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining(folder), details: { errno: 'ENOSPC' } })
      return Array.from({ length: number - 1 }, (_, index) => `a/p/${index + 1}/disk`)
    }
  }

  it('fails a put that does not fit with DISK_FULL, and leaves no part of it', async () => {
    await repository.put('a/p/manifest.1.json', bytesOf('{}'), { signal, ifAbsent: true })
    for (const length of [2 << 20, 20 << 20])
      for (const chunkBytes of [65_536, 1 << 20, 4 << 20]) {
        const put = repository.put('a/p/2/disk', zeros(length, chunkBytes), { signal, ifAbsent: true })
        await expect(put).rejects.toMatchObject({ code: 'DISK_FULL' })
      }
    expect(await readdir(join(folder, 'a/p/2'))).toEqual([])
    const file = await repository.open('a/p/manifest.1.json', { signal })
    expect(new TextDecoder().decode(await collectBytes(file.stream({ start: 0, end: file.size }, { signal }), 10))).toBe('{}')
    await file[Symbol.asyncDispose]()
  })

  it('goes on when it is full: what is stored stays, manifests can be emptied, files deleted, and then there is room again', async () => {
    await repository.put('a/p/manifest.1.json', bytesOf('{"point":1}'), { signal, ifAbsent: true })
    const stored = await fill()
    expect(stored.length).toBeGreaterThan(10)
    const { freeBytes } = ((await repository.check({ signal }))[2]?.details ?? {}) as { freeBytes: number }
    expect(freeBytes).toBeLessThan(8192)
    const names: string[] = []
    for await (const { path } of repository.list('a/p/', { signal })) names.push(path)
    expect(names.toSorted()).toEqual(['a/p/manifest.1.json', ...stored].toSorted())

    await repository.put('a/p/manifest.1.json', bytesOf(''), { signal })
    await repository.put('a/p/manifest.2.json', bytesOf(''), { signal, ifAbsent: true })
    await repository.sync('a/p', { signal })
    const emptied = await repository.open('a/p/manifest.1.json', { signal })
    expect(emptied.size).toBe(0)
    await emptied[Symbol.asyncDispose]()
    expect(await repository.put('a/p/manifest.2.json', bytesOf('late'), { signal, ifAbsent: true }).catch(codeOf)).toBe('EXISTS')

    await repository.delete('a/p/1/disk', { signal })
    await repository.delete('a/p/2/', { signal })
    expect((await repository.put('a/p/9999/disk', zeros(500_000), { signal, ifAbsent: true })).size).toBe(500_000)
    await repository.delete('a/', { signal })
    expect(await readdir(folder)).toEqual([])
  })
})
