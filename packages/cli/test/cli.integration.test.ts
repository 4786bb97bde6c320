import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesOfTar } from '@holdfast/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { type MadePoint, type MadeRepository, makeRepository } from './make-repository.ts'
import { type Ended, fingerprint, holdfast, runProgram, temporaryFolders } from './run-command.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261124)
const folders = temporaryFolders()
let made: MadeRepository
/** The repository alone, in another place: what is left when host, engine and catalog are gone. */
let repository = ''
let before = ''

beforeAll(async () => {
  const original = await mkdtemp(join(tmpdir(), 'holdfast-cli-original-'))
  made = await makeRepository(original, { seed })
  repository = await folders.copyOf(original)
  await rm(original, { recursive: true })
  before = await fingerprint(repository)
})
afterAll(async () => expect(await fingerprint(repository), 'nothing was written into the repository').toBe(before))

const good = (ended: Ended): Ended => {
  // Who is not root is warned that owners are not set.
  const stderr = process.getuid?.() === 0 ? '' : expect.stringMatching(/^(Warning: .*owners are not set.*\n)?$/)
  expect(ended).toMatchObject({ code: 0, stderr })
  return ended
}
const last = (points: readonly MadePoint[]): MadePoint => points.at(-1) as MadePoint
const target = async (name = 'new') => join(await folders.fresh(), name)
const restored = async (point: string, ...more: readonly string[]) => {
  const into = await target()
  good(await holdfast(['restore', repository, point, '--into', into, ...more]))
  return into
}
const bytesOf = (point: MadePoint, name: string): Buffer => Buffer.from(point.contents.get(name) ?? [])

describe(`a repository whose host and catalog are gone (seed ${seed})`, () => {
  it('is listed, newest first, with size, kind and flags', async () => {
    const [json, text] = await Promise.all([holdfast(['points', repository, '--json']), holdfast(['points', repository])])
    const { points, unreadable, findings, repository: about } = JSON.parse(good(json).stdout)
    expect({ unreadable, findings }).toEqual({ unreadable: [], findings: [] })
    expect(about).toEqual({ folder: repository, repositoryId: expect.any(String), owner: 'store1' })
    const idsOf = (provider: string) =>
      points
        .filter((each: { workload: { provider: string } }) => each.workload.provider === provider)
        .map((each: { id: string }) => each.id)
    for (const [provider, list] of [
      ['files', made.volume],
      ['ovirt', made.chain],
      ['esxi', made.vmdk],
    ] as const)
      expect(idsOf(provider)).toEqual(list.map(({ id }) => id).reverse())
    const line = (id: string | undefined) =>
      good(text)
        .stdout.split('\n')
        .find((each) => each.includes(id ?? '?'))
    expect(text.stdout).toContain('owned by the catalog store1; nothing is written here')
    expect(line(made.volume[0]?.id)).toMatch(/full +good +pinned "before the move"$/)
    expect(line(made.volume[1]?.id)).toMatch(/full +good +verified 20\d\d-/)
    expect(line(made.chain[0]?.id)).toMatch(/1\.5 MiB .* full +good$/)
    expect(line(made.chain[1]?.id)).toMatch(/incremental +good$/)
    const one = good(await holdfast(['points', repository, '--workload', 'files/shop-data'])).stdout
    expect(one).toMatch(/files\/shop-data \(volume, 3 points, [\d.]+ [KM]iB stored\)/)
    expect(text.stdout).toMatch(/\n9 points in all, [\d.]+ MiB stored\n/)
    expect(one).not.toContain('ovirt')
  })

  it('says what is in a point', async () => {
    const { id } = last(made.chain)
    const { stdout } = good(await holdfast(['show', repository, id]))
    for (const words of [
      '1/disk-0.qcow2  disk "disk 0" (disk-0), 768 KiB, incremental on',
      made.chain[0]?.id,
      'memory    512 MiB',
      'disk 1    disk-1 on virtio',
    ])
      expect(stdout).toContain(words)
    const { manifest, chain } = JSON.parse(
      good(await holdfast(['show', repository, 'latest', '--workload', 'ovirt/vm-1', '--json'])).stdout,
    )
    expect(manifest).toMatchObject({ point: id, machine: { cpus: 2 } })
    expect(chain).toEqual(made.chain.map((point) => point.id).reverse())
  })

  it('says what needs a point', async () => {
    const [first, ...later] = made.chain.map((point) => point.id)
    const text = good(await holdfast(['show', repository, first ?? ''])).stdout
    expect(text.slice(text.indexOf('Needed by, newest first'))).toContain(later.at(-1))
    const { dependants } = JSON.parse(good(await holdfast(['show', repository, first ?? '', '--json'])).stdout)
    expect(dependants).toEqual(later.reverse())
  })

  it('takes the beginning of an id while it is of one point only', async () => {
    const { id } = last(made.chain)
    expect(good(await holdfast(['show', repository, id.slice(0, -4)])).stdout).toContain(`Point ${id} of`)
    const several = await holdfast(['show', repository, id.slice(0, 8)])
    expect(several).toMatchObject({ code: 2, stderr: expect.stringMatching(/points begin with 20\d{6}\..*Name one of: /s) })
  })

  it('verifies: all of it, names only, or one chain', async () => {
    const [all, quick, one] = await Promise.all([
      holdfast(['verify', repository]),
      holdfast(['verify', repository, '--quick']),
      holdfast(['verify', repository, 'latest', '--workload', 'ovirt/vm-1', '--json']),
    ])
    expect(good(all).stdout).toMatch(/^9 points verified, [\d.]+ MiB read in .*: all good\n$/)
    expect(good(quick).stdout).toBe('9 points verified, names and sizes: all good\n')
    expect(JSON.parse(good(one).stdout)).toMatchObject({ mode: 'full', points: 3, findings: [], bytes: expect.any(Number) })
  })

  it('gives every point of a chain as one raw disk, byte for byte', async () => {
    for (const point of made.chain) {
      const into = await restored(point.id, '--format', 'raw')
      expect((await readdir(into)).sort()).toEqual(['disk-0.raw', 'disk-1.raw'])
      for (const disk of ['disk-0', 'disk-1']) {
        const original = join(await folders.fresh(), disk)
        await writeFile(original, bytesOf(point, disk))
        good(await runProgram('cmp', [original, join(into, `${disk}.raw`)]))
      }
    }
  })

  it('gives raw disks with holes: what is zero takes no room', async () => {
    const into = await restored(last(made.chain).id, '--format', 'raw')
    const disk = bytesOf(last(made.chain), 'disk-0')
    const used = Array.from({ length: 12 }, (_, index) => disk.subarray(index << 16, (index + 1) << 16)).filter((each) =>
      each.some((byte) => byte !== 0),
    ).length
    const { blocks, size } = await stat(join(into, 'disk-0.raw'))
    expect(size).toBe(disk.length)
    expect(blocks * 512).toBeLessThanOrEqual(used * 65_536)
    expect(used).toBeLessThan(12)
  })

  it('gives an archive as it came, its hash as shown', async () => {
    for (const point of made.volume) {
      const into = await target()
      const { stdout } = good(await holdfast(['restore', repository, point.id, '--into', into]))
      const bytes = await readFile(join(into, 'shop-data.tar'))
      expect(filesOfTar(new Uint8Array(bytes))).toEqual(point.contents)
      const sum = good(await runProgram('sha256sum', [join(into, 'shop-data.tar')])).stdout.slice(0, 64)
      expect(stdout).toContain(`sha256 ${sum}`)
      expect((await stat(into)).mode & 0o777).toBe(0o700)
    }
  })

  it('gives a machine that was kept as VMDK with descriptor and NVRAM, ready for an import', async () => {
    const into = await restored(last(made.vmdk).id)
    expect((await readdir(into)).sort()).toEqual(['web-disk-0.vmdk', 'web.mf', 'web.nvram', 'web.ovf'])
    const home = (await readdir(repository)).find((name) => name.startsWith('vm-2-')) ?? ''
    good(await runProgram('sha256sum', ['-c', '--quiet', join(repository, home, last(made.vmdk).id, '1/SHA256SUMS')], { folder: into }))
  })

  it('says that there was nothing to unpack when a disk is restored with --extract', async () => {
    const answer = await holdfast(['restore', repository, last(made.chain).id, '--into', await target(), '--extract'])
    expect(answer).toMatchObject({ code: 0, stderr: expect.stringContaining('Warning: --extract: there was nothing to unpack.') })
  })

  it('answers programs: what was restored, with sizes and hashes', async () => {
    const into = await target()
    const { stdout } = good(
      await holdfast(['restore', repository, 'latest', '--workload', 'files/shop-data', '--into', into, '--extract', '--json']),
    )
    expect(JSON.parse(stdout)).toEqual({
      repository: { folder: repository, repositoryId: expect.any(String), owner: 'store1' },
      point: last(made.volume).id,
      workload: 'files/shop-data',
      folder: into,
      complete: [
        {
          name: 'shop-data',
          kind: 'folder',
          size: expect.any(Number),
          written: expect.any(Number),
          entries: { files: last(made.volume).contents.size, folders: 0, links: 0 },
        },
      ],
      incomplete: [],
      warnings: expect.any(Array),
    })
  })
})

describeWithPeers(['tar', 'zstd'], 'a second program', ({ tar, zstd }) => {
  it('unpacks what the command unpacks, and reads the stored archive to the same', async () => {
    const into = await restored(made.volume[1]?.id ?? '', '--extract')
    const other = await folders.fresh()
    const home = (await readdir(repository)).find((name) => name.startsWith('shop-data-')) ?? ''
    const stored = join(repository, home, made.volume[1]?.id ?? '', '1/shop-data.tar.zst')
    good(await runProgram(tar.path, ['-x', '-C', other, `--use-compress-program=${zstd.path}`, '-f', stored]))
    good(await runProgram('diff', ['-r', other, join(into, 'shop-data')]))
    expect(await readdir(other)).not.toEqual([])
  })
})

describeWithPeers(['qemu-img'], 'qemu-img', ({ 'qemu-img': qemu }) => {
  it('finds a restored disk equal to the chain in the repository, and whole', async () => {
    const point = last(made.chain)
    const into = await restored(point.id)
    expect((await readdir(into)).sort()).toEqual(['disk-0.qcow2', 'disk-1.qcow2'])
    const home = (await readdir(repository)).find((name) => name.startsWith('vm-1-')) ?? ''
    for (const disk of ['disk-0.qcow2', 'disk-1.qcow2']) {
      const file = join(into, disk)
      expect(good(await runProgram(qemu.path, ['compare', file, join(repository, home, point.id, '1', disk)])).stdout).toContain(
        'Images are identical',
      )
      expect(good(await runProgram(qemu.path, ['check', file])).stdout).toContain('No errors were found')
      expect(good(await runProgram(qemu.path, ['info', file])).stdout).not.toContain('backing')
    }
  })
})

describe('the command', () => {
  it('refuses wrong usage with 2 and says how it is written; help and version end with 0', async () => {
    const [wrong, help, version] = await Promise.all([holdfast(['points']), holdfast(['restore', '--help']), holdfast(['--version'])])
    expect(wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Write: holdfast points FOLDER') })
    expect(good(help).stdout).toContain('Examples:')
    expect(good(version).stdout).toMatch(/^holdfast \d+\.\d+\.\d+\n$/)
  })

  it('ends quietly when its reader has seen enough', async () => {
    const ended = await runProgram('sh', [
      '-c',
      `"$0" "$@" | head -n 1`,
      process.execPath,
      join(import.meta.dirname, '../bin/holdfast.js'),
      'points',
      repository,
    ])
    expect(good(ended).stdout).toContain('Repository ')
  })

  it('reads from where it stands', async () => {
    good(await holdfast(['points', '.'], { folder: repository }))
  })
})

it('a folder beside the repository is a fine target, also a mounted one that is empty', async () => {
  const into = await folders.fresh()
  good(await holdfast(['restore', repository, last(made.volume).id, '--into', into]))
  await mkdir(join(into, 'more'))
  expect((await readdir(into)).sort()).toEqual(['more', 'shop-data.tar'])
})
