// Runs every block of commands of docs/guide/read-a-backup-without-holdfast.md against a real repository.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BackupOutcome, createEngine, localRepository } from '@holdfast/core'
import { systemClock } from '@holdfast/core/spec'
import { countingIds, memoryPlatform, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithPeers } from '../scripts/peers/test-peers.ts'
import { diskFiles } from './02-disk-files/disk-files-provider.ts'

const run = promisify(execFile)
const guide = join(import.meta.dirname, '../docs/guide')
const cluster = 65_536
let root = ''
let made: Awaited<ReturnType<typeof makeRepository>>

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'holdfast-without-'))
  made = await makeRepository()
})
afterEach(() => rm(root, { recursive: true, force: true }))

/** A disk of an odd size with a full and two increments, a volume, and an export that is kept as it came. */
async function makeRepository() {
  const repository = join(root, 'backups')
  await mkdir(join(root, 'disks'))
  await mkdir(join(root, 'work'))
  const disk = Buffer.alloc(40 * cluster + 1000)
  disk.fill('a shop', cluster, 5 * cluster)
  const image = join(root, 'disks', 'shop.img')
  await writeFile(image, disk)
  const platform = memoryPlatform({ random: seededRandom(5) })
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: localRepository({ folder: repository }) },
    providers: {
      disks: diskFiles({ folder: join(root, 'disks') }),
      tar: scriptedProvider(platform, { shape: 'tarVolume', name: 'tar' }),
      esxi: scriptedProvider(platform, { shape: 'esxiLike', name: 'esxi' }),
    },
  })
  try {
    await engine.start()
    const backUp = async (key: string, provider: string, id: string) => {
      const order = { key, operation: 'backup', repository: 'main', workload: { provider, id }, compression: 'zstd' } as const
      return ((await engine.run(order)) as unknown as BackupOutcome).point
    }
    const disks: string[] = []
    for (const night of [1, 2, 3]) {
      const file = await open(image, 'r+')
      await file.write(`night ${night}`, night * 4 * cluster)
      if (night === 3) await file.write(Buffer.alloc(cluster), 0, cluster, 2 * cluster)
      await file.close()
      disks.push(await backUp(`disk ${night}`, 'disks', 'shop'))
    }
    const volume = await backUp('volume', 'tar', platform.addVolume('files'))
    const exported = await backUp('export', 'esxi', platform.addMachine('web', 1))
    const folders = (await readdir(repository, { recursive: true })).filter((path) => /^[^/]+\/[^/]+$/.test(path))
    const folderOf = (id: string | undefined) => folders.find((path) => path.endsWith(`/${id}`)) ?? ''
    return { repository, image, disks: disks.map(folderOf), volume: folderOf(volume), exported: folderOf(exported) }
  } finally {
    await engine.stop()
  }
}

/** The blocks of the guide as one script; what each prints, in order. */
async function runGuide(): Promise<readonly string[]> {
  const page = await readFile(join(guide, 'read-a-backup-without-holdfast.md'), 'utf8')
  const blocks = [...page.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, block]) => block)
  const [full, first, second] = made.disks.map((folder) => folder.split('/')[1])
  const env = {
    ...process.env,
    LC_ALL: 'C',
    repository: made.repository,
    point: made.disks[2] ?? '',
    volume: made.volume,
    export: made.exported,
    work: join(root, 'work'),
    guide,
    disk: '1/disk-0.qcow2',
    sums: ['.', `../${first}`, `../${full}`].map((folder) => `${folder}/1/disk-0.sums`).join(' '),
  }
  expect(second).toBe(env.point.split('/')[1])
  const script = ['set -euo pipefail', ...blocks.map((block) => `echo '=== block'\n${block}`)].join('\n')
  const { stdout } = await run('bash', ['-c', script], { env })
  return stdout.split('=== block\n').slice(1)
}

async function checkSums(...layers: readonly number[]): Promise<{ code: number; stdout: string }> {
  const folder = join(made.repository, made.disks[2] ?? '')
  const raw = join(root, 'work', 'check.raw')
  await run('qemu-img', ['convert', '-O', 'raw', join(folder, '1/disk-0.qcow2'), raw])
  const sums = layers.map((layer) => join(made.repository, made.disks[layer] ?? '', '1/disk-0.sums'))
  return await run('python3', [join(guide, 'check-sums.py'), raw, ...sums]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    ({ code, stdout, stderr }) => ({ code, stdout: stdout + stderr }),
  )
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path)
  bytes[at] = (bytes[at] ?? 0) ^ 8
  await writeFile(path, bytes)
}

describeWithPeers(['qemu-img', 'zstd', 'tar', 'python3'], 'the guide to reading without Holdfast', () => {
  it('finds points, disks, archives and exports, and proves them', async () => {
    const [list, sequences, manifest, convert, check, digest, archive, hashes, kept, ...more] = await runGuide()
    for (const folder of [...made.disks, made.volume, made.exported]) expect(list).toContain(`${folder}/\n`)
    expect(sequences?.match(/"sequence": \d/g)?.sort()).toEqual(['1', '1', '1', '2', '3'].map((each) => `"sequence": ${each}`))
    expect(manifest).toMatch(/^the manifest is whole\n/)
    expect(manifest).toContain('"path": "1/disk-0.qcow2"')
    expect(manifest).toContain(`"parent": "${made.disks[1]?.split('/')[1]}"`)
    expect(convert?.match(/^image: /gm)).toHaveLength(3)
    const wanted = await readFile(made.image)
    expect((await readFile(join(root, 'work', 'disk.raw'))).subarray(0, wanted.length).equals(wanted)).toBe(true)
    expect(check).toMatch(/^"digest": "[0-9a-f]{64}"\n$/)
    expect(digest?.trim()).toContain(check?.trim())
    const stored = (await readdir(join(made.repository, made.volume, '1'))).find((name) => name.endsWith('.tar.zst')) ?? ''
    const { stdout: listed } = await run('tar', ['--zstd', '-tf', join(made.repository, made.volume, '1', stored)])
    const names = listed.trimEnd().split('\n')
    expect(archive).toBe(`{"entries":${names.length}}\n`)
    const unpacked = await readdir(join(root, 'work', 'volume'), { recursive: true })
    expect(unpacked).toEqual(expect.arrayContaining(names.map((name) => name.replace(/^\.\/|\/$/g, '')).filter((name) => name !== '.')))
    expect(hashes?.match(/"sha256": "[0-9a-f]{64}"/g)).toHaveLength(2)
    expect(kept).toMatch(/: OK\n/)
    expect(kept).not.toContain('FAILED')
    expect(more).toEqual([])
  }, 60_000)

  it('the script names the cluster of a flipped bit in any layer, which qemu-img does not see, and damaged sums', async () => {
    expect(await checkSums(2, 1, 0)).toMatchObject({ code: 0 })
    for (const layer of [0, 1, 2]) {
      const path = join(made.repository, made.disks[layer] ?? '', '1/disk-0.qcow2')
      const { length } = await readFile(path)
      await flip(path, length - cluster + 100)
      const seen = await run('qemu-img', ['check', path])
      expect(seen.stdout).toContain('No errors were found')
      const offset = [4, 8, 12].map((index) => index * cluster)[layer]
      expect(await checkSums(2, 1, 0)).toEqual({ code: 1, stdout: `guest offset ${offset}: differs from its sum\ndamaged\n` })
      await flip(path, length - cluster + 100)
    }
    const sums = join(made.repository, made.disks[1] ?? '', '1/disk-0.sums')
    await flip(sums, 32 + 12)
    expect(await checkSums(2, 1, 0)).toEqual({ code: 1, stdout: `guest offset ${8 * cluster}: differs from its sum\ndamaged\n` })
    await flip(sums, 32 + 12)
    await flip(sums, 25)
    expect(await checkSums(2, 1, 0)).toMatchObject({ code: 1, stdout: expect.stringContaining('is not a whole sums file') })
    await flip(sums, 25)
    expect(await checkSums(2, 1, 0)).toMatchObject({ code: 0 })
  }, 60_000)

  it('the script does not call a good disk damaged when sums are missing or in another order, and says what is wrong', async () => {
    const none = 'has no sum in the files you gave: is an older .sums missing?'
    const older = 'has an older sum: do the files not stand newest first? If they do, it is damaged'
    // The full alone holds clusters 1, 3 and 4, the second night cluster 8; the third has emptied cluster 2. Of many the first is named.
    expect(await checkSums(2, 1)).toEqual({ code: 1, stdout: `guest offset ${cluster}: ${none}\nnot proven: 3 cluster(s)\n` })
    expect(await checkSums(2, 0)).toEqual({ code: 1, stdout: `guest offset ${8 * cluster}: ${none}\nnot proven: 1 cluster(s)\n` })
    expect(await checkSums(0, 1, 2)).toEqual({ code: 1, stdout: `guest offset ${2 * cluster}: ${older}\nnot proven: 1 cluster(s)\n` })
    const path = join(made.repository, made.disks[2] ?? '', '1/disk-0.qcow2')
    await flip(path, (await readFile(path)).length - cluster + 100)
    const { code, stdout } = await checkSums(2, 1)
    expect({ code, lines: stdout.split('\n') }).toEqual({
      code: 1,
      lines: [expect.stringContaining(none), `guest offset ${12 * cluster}: differs from its sum`, 'damaged', ''],
    })
    expect(await checkSums()).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^check-sums\.py DISK\.raw NEWEST\.sums \[OLDER\.sums/),
    })
  }, 60_000)
})
