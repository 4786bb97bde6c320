import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { encodeChecksummed } from '../../core/src/model/checksummed-json.ts'
import { type MadePoint, type MadeRepository, makeRepository } from './make-repository.ts'
import { bundledHoldfast, type Ended, type holdfast as RunHoldfast, runProgram, temporaryFolders } from './run-command.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261125)
const folders = temporaryFolders()
let made: MadeRepository
let original = ''
let holdfast: typeof RunHoldfast

beforeAll(async () => {
  holdfast = await bundledHoldfast(await folders.fresh())
  original = await mkdtemp(join(tmpdir(), 'holdfast-cli-damage-'))
  made = await makeRepository(original, { seed })
})
afterAll(() => rm(original, { recursive: true, force: true }))

const ends = (ended: Ended, code: number, ...texts: readonly (string | undefined)[]): Ended => {
  for (const text of texts) expect(`${ended.stdout}${ended.stderr}`).toContain(text)
  expect(ended.code, `${ended.stdout}${ended.stderr}`).toBe(code)
  return ended
}
const id = (points: readonly MadePoint[], at: number): string => points.at(at)?.id ?? ''
const target = async () => join(await folders.fresh(), 'new')
const there = (folder: string) => readdir(folder).catch(() => 'not there')

/** A copy of the repository, and the path of one file of a point in it. */
async function copy() {
  const repository = await folders.copyOf(original)
  const paths = (await readdir(repository, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath, entry.name))
  const pathOf = (point: string, end: string) => paths.find((path) => path.includes(`/${point}/`) && path.endsWith(end)) ?? ''
  return {
    repository,
    pathOf,
    inside: (path: string) => path.slice(repository.length + 1),
    async flip(path: string, share = 0.5) {
      const bytes = await readFile(path)
      const at = Math.floor(bytes.length * share)
      bytes[at] = (bytes[at] ?? 0) ^ 16
      await writeFile(path, bytes)
    },
  }
}

const restore = (repository: string, into: string, ...words: readonly string[]) =>
  holdfast(['restore', repository, ...words, '--into', into])

describe('a folder that is no repository ends with 2', () => {
  it('not there, empty, a file, or above and below one', async () => {
    const { repository, pathOf } = await copy()
    const empty = await folders.fresh()
    const cases: readonly (readonly [string, readonly string[]])[] = [
      [join(empty, 'nowhere'), ['the folder is not there', 'mount it']],
      [empty, ['the folder is empty', 'mount it']],
      [join(repository, 'repository.json'), ['is a file', 'Name the folder that holds repository.json']],
      [dirname(repository), [`A repository is in ${repository}: name that folder.`]],
      [dirname(pathOf(id(made.chain, 0), 'disk-0.qcow2')), [`A repository is in ${repository}: name that folder.`]],
    ]
    for (const [folder, texts] of cases) ends(await holdfast(['verify', folder]), 2, 'REPOSITORY_MISSING', ...texts)
  })

  it('or one of a newer version', async () => {
    const { repository } = await copy()
    await writeFile(join(repository, 'repository.json'), encodeChecksummed({ formatVersion: 2, repositoryId: 'r' }))
    ends(await holdfast(['points', repository]), 2, 'UNSUPPORTED_FORMAT', 'format version 2', 'Use a newer version of Holdfast')
  })
})

describe('a repository without any point', () => {
  it('ends a verification with 2, also for programs: nothing was proven; latest says what to check', async () => {
    const { repository } = await copy()
    for (const name of await readdir(repository)) if (name !== 'repository.json') await rm(join(repository, name), { recursive: true })
    const remedy = 'check that this is the folder of the repository, and that it is mounted.'
    for (const words of [[], ['--quick']]) {
      const ended = ends(await holdfast(['verify', repository, ...words]), 2, `There is no point in ${repository}. (NOT_FOUND)`, remedy)
      expect(ended).toMatchObject({ stdout: '', stderr: expect.stringContaining('Nothing was verified: ') })
    }
    const { stdout } = ends(await holdfast(['verify', repository, '--json']), 2)
    expect(JSON.parse(stdout)).toEqual({
      error: { code: 'NOT_FOUND', message: `There is no point in ${repository}.`, remedy: `Nothing was verified: ${remedy}` },
    })
    for (const words of [
      ['show', repository, 'latest'],
      ['verify', repository, 'latest'],
      ['show', repository, id(made.chain, 0)],
      ['verify', repository, '--workload', 'ovirt/vm-1'],
    ])
      ends(await holdfast(words), 2, 'There is no point', 'Check that this is the folder of the repository, and that it is mounted.')
  })

  it('of which something is damaged ends with 1 and says what', async () => {
    const { repository, flip } = await copy()
    for (const name of await readdir(repository)) if (name !== 'repository.json') await rm(join(repository, name), { recursive: true })
    await flip(join(repository, 'repository.json'))
    ends(await holdfast(['verify', repository]), 1, 'DAMAGED repository.json does not verify', '0 points verified', '1 finding')
  })
})

describe('repository.json', () => {
  it('that is gone or damaged keeps nobody from a restore; verify reports it', async () => {
    const { repository, flip } = await copy()
    await flip(join(repository, 'repository.json'))
    ends(await restore(repository, await target(), id(made.volume, 0)), 0, 'Note: repository.json does not verify', 'Every hash matched')
    await rm(join(repository, 'repository.json'))
    ends(
      await holdfast(['verify', repository, '--quick']),
      1,
      'DAMAGED there is no repository.json, though there are points',
      '9 points verified',
      '1 finding',
    )
  })
})

describe('a damaged manifest', () => {
  it('is listed as damaged, found by verify, refused by show and restore, and passed over by latest', async () => {
    const { repository, pathOf, inside, flip } = await copy()
    const newest = id(made.volume, -1)
    const path = pathOf(newest, 'manifest.1.json')
    await flip(path)
    const { stdout } = ends(await holdfast(['points', repository]), 0)
    expect(stdout).toMatch(new RegExp(`${newest}  .* DAMAGED\\n    ${inside(path)} does not verify`))
    expect(stdout).toContain('files/shop-data (volume, 3 points, ')
    ends(await holdfast(['verify', repository, newest]), 1, `DAMAGED ${inside(path)} does not verify`)
    ends(await holdfast(['show', repository, newest]), 1, 'POINT_DAMAGED', inside(path))
    const into = await target()
    ends(await restore(repository, into, newest), 1, 'POINT_DAMAGED', inside(path), 'Restore another point')
    expect(await there(into)).toBe('not there')
    const ended = await restore(repository, into, 'latest', '--workload', 'files/shop-data')
    ends(ended, 0, `Warning: may be newer, but is not used as the latest: point ${newest} cannot be read`, `Point ${id(made.volume, 1)} of`)
    expect(await there(into)).toEqual(['shop-data.tar'])
  })

  it('of a newer version is told as that', async () => {
    const { repository, pathOf } = await copy()
    const path = pathOf(id(made.volume, 0), 'manifest.1.json')
    await writeFile(path, encodeChecksummed({ formatVersion: 7, more: true }))
    ends(await holdfast(['points', repository]), 0, 'has format version 7; this software reads version 1')
    ends(await holdfast(['show', repository, id(made.volume, 0)]), 1, 'cannot be read', 'format version 7')
  })
})

describe('damaged data', () => {
  it('of one disk: verify names the file, restore gives the other disk and says what is missing', async () => {
    const { repository, pathOf, inside, flip } = await copy()
    const path = pathOf(id(made.chain, 0), 'disk-0.qcow2')
    await flip(path, 0.9)
    const found = ends(await holdfast(['verify', repository, '--json']), 1)
    const { findings } = JSON.parse(found.stdout)
    const range = { cluster: expect.any(Number), offset: expect.any(Number), length: expect.any(Number) }
    const [{ disk }] = findings
    expect(findings).toEqual([
      {
        point: id(made.chain, 0),
        file: inside(path),
        message: expect.stringContaining('differs from its sum'),
        disk: { key: expect.any(String), clusters: 1, ranges: [range] },
        affects: [id(made.chain, 1), id(made.chain, 2)],
      },
    ])
    const [{ cluster, offset, length }] = disk.ranges
    expect(offset).toBe(cluster * 65_536)
    ends(
      await holdfast(['verify', repository]),
      1,
      `DAMAGED ${inside(path)}: the cluster at guest offset ${offset} differs from its sum\n` +
        `  disk ${disk.key}, guest offset ${offset} to ${offset + length - 1} (cluster ${cluster})\n` +
        `  points that build on it: ${id(made.chain, 1)}, ${id(made.chain, 2)}\n`,
    )
    for (const format of ['qcow2', 'raw']) {
      const into = await target()
      const ended = await restore(repository, into, id(made.chain, 0), '--format', format)
      ends(
        ended,
        1,
        `NOT RESTORED disk-0.${format}`,
        'CHECKSUM_MISMATCH',
        inside(path),
        `${into} holds 1 whole item`,
        '1 item could not be restored',
      )
      expect(ended.stdout).not.toContain('Every hash matched')
      expect(await there(into)).toEqual([`disk-1.${format}`])
    }
  })

  it('of an archive: nothing is left, not even the folder; with --extract neither', async () => {
    const { repository, pathOf, inside, flip } = await copy()
    const path = pathOf(id(made.volume, 0), '.tar.zst')
    await flip(path)
    for (const more of [[], ['--extract'], ['--json']]) {
      const into = await target()
      ends(await restore(repository, into, id(made.volume, 0), ...more), 1, 'NOT RESTORED shop-data', inside(path), 'holds nothing')
      expect(await there(into)).toBe('not there')
    }
    const json = await holdfast(['restore', repository, id(made.volume, 0), '--into', await target(), '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({ complete: [], incomplete: [{ name: 'shop-data.tar', code: 'CHECKSUM_MISMATCH' }] })
  })

  it('that is missing or cut is found without reading it', async () => {
    const { repository, pathOf, inside } = await copy()
    const gone = pathOf(id(made.vmdk, 1), '.vmdk')
    const cut = pathOf(id(made.volume, 1), '.tar.zst')
    await rm(gone)
    await writeFile(cut, (await readFile(cut)).subarray(0, 100))
    ends(
      await holdfast(['verify', repository, '--quick']),
      1,
      `DAMAGED ${inside(gone)}: the file is gone`,
      `DAMAGED ${inside(cut)}: has 100 B`,
    )
    const into = await target()
    ends(await restore(repository, into, id(made.vmdk, 1)), 1, 'NOT RESTORED web-disk-0.vmdk', 'the file is missing')
    expect((await there(into)).length).toBe(3)
  })

  it('is quarantined by its owner: latest is an older point, the point itself is tried when it is named', async () => {
    const { repository, pathOf } = await copy()
    const folder = pathOf(id(made.volume, -1), 'manifest.1.json').replace('/manifest.1.json', '')
    await writeFile(
      join(folder, 'quarantine.json'),
      encodeChecksummed({ formatVersion: 1, folder: folder.slice(repository.length + 1), reason: 'a test' }),
    )
    ends(await holdfast(['points', repository]), 0, 'quarantined  quarantined', 'is quarantined: a test')
    ends(
      await restore(repository, await target(), 'latest', '--workload', 'files/shop-data'),
      0,
      'may be newer, but is not used',
      `Point ${id(made.volume, 1)}`,
    )
    ends(
      await restore(repository, await target(), id(made.volume, -1)),
      0,
      'Warning: point',
      'is quarantined: a test',
      'Every hash matched',
    )
    ends(await holdfast(['verify', repository, '--quick']), 0, 'names and sizes: all good; 1 point quarantined (holdfast points)')
    ends(await holdfast(['verify', repository, id(made.volume, -1)]), 0, 'is quarantined, but every byte of it is as its manifest says')
  })
})

describe('a chain', () => {
  it('whose parent is gone is incomplete: told by points, found by verify, and a restore names it', async () => {
    const { repository, pathOf } = await copy()
    await rm(dirname(pathOf(id(made.chain, 0), 'manifest.1.json')), { recursive: true })
    const missing = `builds on point ${id(made.chain, 0)}, which is not there`
    ends(await holdfast(['points', repository]), 0, 'incomplete', missing)
    ends(await holdfast(['verify', repository, id(made.chain, 2)]), 1, missing)
    const into = await target()
    ends(
      await restore(repository, into, id(made.chain, 2)),
      1,
      `Warning: point ${id(made.chain, 2)} ${missing}`,
      'NOT RESTORED disk-0.qcow2',
      'POINT_DAMAGED',
    )
    expect(await there(into)).toBe('not there')
    ends(await restore(repository, into, 'latest', '--workload', 'ovirt/vm-1'), 1, 'There is no good point of ovirt/vm-1')
  })
})

describe('what is not there', () => {
  it('is answered with what is', async () => {
    const wrong = `${id(made.volume, 0).slice(0, -1)}z`
    ends(await holdfast(['show', original, wrong]), 2, 'NOT_FOUND', `There is no point "${wrong}"`, `Did you mean ${id(made.volume, 0)}?`)
    ends(
      await holdfast(['restore', original, 'latest', '--workload', 'files/shop', '--into', await target()]),
      2,
      'There are: esxi/vm-2, ovirt/vm-1, files/shop-data',
    )
  })
})

describe('a target', () => {
  it('that is not empty, or in the repository, is refused and not touched', async () => {
    const { repository } = await copy()
    const full = await folders.fresh()
    await writeFile(join(full, 'mine'), 'x')
    ends(
      await restore(repository, full, id(made.volume, 0)),
      2,
      'EXISTS',
      'is not empty: it holds "mine"',
      `--into ${join(full, 'restored')}`,
    )
    expect(await there(full)).toEqual(['mine'])
    ends(await restore(repository, join(repository, 'new'), id(made.volume, 0)), 2, 'inside the repository')
    ends(await restore(repository, join(full, 'mine/new'), id(made.volume, 0)), 2, 'cannot write')
    expect(await there(join(repository, 'new'))).toBe('not there')
  })

  it('is left without anything half-written by Ctrl-C, which ends with 130', async () => {
    const folder = await folders.fresh()
    const big = await makeRepository(join(folder, 'repository'), { seed, rounds: 1, clusters: 1000 })
    let interrupted: Ended | undefined
    for (let tries = 0; interrupted === undefined && tries < 20; tries++) {
      const into = join(folder, `new-${tries}`)
      const ended = await holdfast(['restore', join(folder, 'repository'), id(big.chain, 0), '--into', into], {
        onStart: (kill) => void whenUnfinished(into).then(() => kill('SIGINT')),
      })
      // A fast machine may have finished before it heard of it.
      if (ended.code === 130) interrupted = ended
      const names = await there(into)
      expect(Array.isArray(names) ? names.filter((name) => name.startsWith('.')) : []).toEqual([])
    }
    expect(interrupted?.stderr).toMatch(/NOT RESTORED disk-\d\.qcow2\nholdfast: Interrupted\. \(ABORTED\)/)
    expect(interrupted?.stderr).toMatch(/Incomplete: .* could not be restored, and nothing of them is left there/)
  }, 120_000)
})

/** Resolves when the command has begun to write, or was given up. */
async function whenUnfinished(folder: string): Promise<void> {
  for (let looked = 0; looked < 20_000; looked++) {
    const names = await readdir(folder).catch(() => [])
    if (names.some((name) => name.endsWith('.unfinished'))) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

describeWithPeers(['root'], 'as root', () => {
  it('a full disk ends with 2: what was whole stays, nothing half-written does, and the repository is not touched', async () => {
    const restoreInto = async (size: string) => {
      const into = await folders.fresh()
      ends(await runProgram('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', into]), 0)
      try {
        const ended = await restore(original, into, id(made.chain, 0))
        ends(ended, 2, 'DISK_FULL', `cannot write ${join(into, 'disk-')}`, 'no space is left there', 'larger disk with --into')
        return { ...ended, names: await readdir(into) }
      } finally {
        await runProgram('umount', [into])
      }
    }
    expect(await restoreInto('900k')).toMatchObject({
      names: ['disk-0.qcow2'],
      stderr: expect.stringContaining('NOT RESTORED disk-1.qcow2'),
    })
    const none = await restoreInto('200k')
    expect(none).toMatchObject({ names: [], stderr: expect.stringMatching(/Warning: disk-0.qcow2 needs \d+ KiB, 200 KiB are free in/) })
    expect(none.stderr).toContain(
      'NOT RESTORED disk-1.qcow2\nholdfast: not begun, because the one before it failed (DISK_FULL)\n  Free space, or name a folder',
    )
  })

  it('and as somebody else, a repository of another user says who may read it', async () => {
    const { repository } = await copy()
    const ended = await holdfast(['points', repository], { user: 65_534 })
    ends(ended, 2, 'permission is denied', '(ACCESS_DENIED)', 'Run it as the user that owns the repository, or as root')
  })

  it('an unpacked archive keeps owners, modes and times; somebody else is told that owners are not set', async () => {
    const into = await target()
    ends(await restore(original, into, id(made.volume, 0), '--extract'), 0, 'Every hash matched')
    const { stdout } = await runProgram('find', [into, '-type', 'f', '-printf', '%u %m %T@\\n'])
    expect(new Set(stdout.trim().split('\n'))).toEqual(new Set(['root 644 0.0000000000']))
  })
})
