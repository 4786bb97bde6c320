import { HoldfastError, type Repository } from '@holdfast/core/spec'
import { fakeClock, memoryRepository, observeCalls, seededRandom } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type DamageWorld, damageWorld, flipped, setAllFlags } from '../../test/damage/damage-world.ts'
import { filesInMemory } from '../../test/damage/stored-files.ts'
import { encodeChecksummed } from '../model/checksummed-json.ts'
import { decodeManifest, encodeManifest, type Manifest } from '../model/manifest.ts'
import { bytesOf, collectBytes } from '../spec/helpers/bytes.ts'
import { createProgressMeter } from '../transfer/index.ts'
import { type Finding, type OfflineRepository, openOffline } from './index.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261123)
const { signal } = new AbortController()
const clock = fakeClock()
const meter = () => createProgressMeter({ clock })
const open = (repository: Repository) => openOffline({ repository, clock, signal })

async function world(rounds = 3) {
  const repository = memoryRepository()
  const made = await damageWorld({ seed, repository, rounds })
  onTestFinished(() => made.engine.stop())
  const files = filesInMemory(repository)
  const paths = await files.paths()
  const path = (point: string | undefined, end: string) => paths.find((each) => each.includes(`/${point}/`) && each.endsWith(end)) ?? ''
  const chain = made.points.filter(({ workload }) => workload.provider === 'ovirt').map(({ id }) => id)
  return { ...made, repository, files, path, chain }
}

async function verified(offline: OfflineRepository, options: { folders?: readonly string[]; mode?: 'quick' | 'full' } = {}) {
  const points: string[] = []
  const findings: Finding[] = []
  for await (const each of offline.verify({ mode: 'full', ...options, meter: meter(), signal })) {
    points.push(each.point)
    findings.push(...each.findings)
  }
  return { points, findings }
}

async function manifestAt({ files }: { files: ReturnType<typeof filesInMemory> }, path: string): Promise<Manifest> {
  const [home, point, name] = path.split('/')
  return decodeManifest(await files.read(path), { folder: `${home}/${point}`, number: Number(name?.split('.')[1]) })
}

describe('a repository without a store', () => {
  it('lists the points that the engine lists, in its order, with their flags', async () => {
    const { engine, repository, files, ...rest } = await world()
    await setAllFlags({ engine, repository, files, ...rest } as unknown as DamageWorld, files)
    const offline = await open(repository)
    expect(offline).toMatchObject({ findings: [], notes: [], unreadable: [], file: { owner: expect.any(String) } })
    for (const workload of rest.workloads) {
      const known = await engine.points({ repository: 'main', workload })
      const seen = offline.points.filter((point) => point.workload.provider === workload.provider)
      expect(
        seen.map(({ id, createdAt, parents, sequence, summary, flags }) => ({ id, createdAt, parents, sequence, summary, flags })),
      ).toEqual(known.map(({ id, createdAt, parents, sequence, summary, flags }) => ({ id, createdAt, parents, sequence, summary, flags })))
    }
    expect(JSON.parse(JSON.stringify(offline.points))).toEqual(offline.points)
  })

  it('is only read: nothing but open and list is called, whatever is asked', async () => {
    const { repository } = await world(2)
    const called = new Set<string>()
    const watched = observeCalls<Repository>(repository, ({ method }) => void called.add(method.replace(/[.(].*/, '')), { seam: 'r' })
    const offline = await open(watched)
    await verified(offline)
    for (const point of offline.points) await offline.open(point, { signal, meter: meter() })
    expect([...called].sort()).toEqual(['list', 'open'])
  })

  it('gives the bytes of every point', async () => {
    const { repository, points } = await world(2)
    const offline = await open(repository)
    for (const made of points) {
      const point = offline.points.find(({ id }) => id === made.id)
      const { source, manifest } = await offline.open(point as never, { signal, meter: meter() })
      expect(source.description).toMatchObject({ digest: made.digest })
      for (const file of source.files) {
        const bytes = await collectBytes(await file.open({ signal }), 1e7)
        expect(bytes.length).toBe(file.size)
      }
      for (const disk of source.disks.filter((each) => each.file === undefined)) {
        const blocks = await disk.open({ signal })
        await blocks.readInto(new Uint8Array(disk.size), 0, { signal })
        await blocks[Symbol.asyncDispose]()
      }
      expect(manifest.items).toHaveLength(source.disks.filter((each) => each.file === undefined).length + source.files.length)
    }
  })

  it('reports nothing when nothing is wrong, and reads as much as it said', async () => {
    const { repository } = await world(2)
    const offline = await open(repository)
    const progress = meter()
    for await (const { findings } of offline.verify({ mode: 'full', meter: progress, signal })) expect(findings).toEqual([])
    const { bytes } = progress.snapshot()
    expect(bytes).toBe(offline.points.reduce((sum, point) => sum + point.verifyBytes, 0))
    expect((await verified(offline, { mode: 'quick' })).findings).toEqual([])
  })
})

describe('damage', () => {
  it(`is found in every file, wherever a bit has changed (seed ${seed})`, async () => {
    const { repository, files, engine, ...rest } = await world(2)
    await setAllFlags(
      { engine, repository, files, points: [...rest.points, ...rest.points], random: rest.random } as unknown as DamageWorld,
      files,
    )
    const random = seededRandom(seed)
    for (const path of await files.paths()) {
      const bytes = await files.read(path)
      const bit = random.below(bytes.length * 8)
      await files.write(path, flipped(bytes, bit))
      const { findings } = await verified(await open(repository))
      expect(
        findings.filter(({ file }) => file === path),
        `${path}, bit ${bit}`,
      ).not.toEqual([])
      await files.write(path, bytes)
    }
    expect((await verified(await open(repository))).findings).toEqual([])
  }, 120_000)

  it('is told once for each point, oldest first', async () => {
    const { repository, files, path, chain } = await world(3)
    const sums = path(chain[0], 'disk-0.sums')
    await files.write(sums, flipped(await files.read(sums), 4000))
    const { findings } = await verified(await open(repository))
    expect(findings).toMatchObject([{ point: chain[0], affects: chain.slice(1), file: sums, message: expect.stringContaining('SHA-256') }])
  })

  it('of a manifest makes the point unreadable and those above it incomplete; the rest stays good', async () => {
    const { repository, files, path, chain } = await world(3)
    const file = path(chain[1], 'manifest.1.json')
    await files.write(file, flipped(await files.read(file), 4000))
    const offline = await open(repository)
    expect(offline.unreadable).toEqual([
      {
        id: chain[1],
        folder: file.replace('/manifest.1.json', ''),
        due: expect.any(String),
        workload: expect.objectContaining({ provider: 'ovirt' }),
        problem: expect.stringContaining(file),
      },
    ])
    const states = new Map(offline.points.map(({ id, state, problem }) => [id, { state, problem }]))
    expect(states.get(chain[0] ?? '')).toEqual({ state: 'good', problem: undefined })
    expect(states.get(chain[2] ?? '')).toEqual({
      state: 'incomplete',
      problem: expect.stringContaining(`builds on point ${chain[1]}, which cannot be read`),
    })
    expect([...states.values()].filter(({ state }) => state !== 'good')).toHaveLength(1)
    const { findings } = await verified(offline)
    expect(findings.map(({ point }) => point)).toEqual(expect.arrayContaining([chain[1], chain[2]]))
    expect(new Set(findings.map(({ point }) => point)).size).toBe(2)
    const above = offline.points.find(({ id }) => id === chain[2])
    const { source, ancestors } = await offline.open(above as never, { signal, meter: meter() })
    expect(ancestors).toEqual([])
    await expect(source.disks[0]?.open({ signal })).rejects.toMatchObject({
      code: 'POINT_DAMAGED',
      message: expect.stringContaining(chain[1] ?? ''),
    })
  })

  it('of a point that is gone is found at those that build on it', async () => {
    const { repository, files, chain } = await world(3)
    for (const each of await files.paths()) if (each.includes(`/${chain[0]}/`)) await files.write(each, undefined)
    const offline = await open(repository)
    const problem = `builds on point ${chain[0]}, which is not there`
    expect(offline.points.filter(({ problem: each }) => each === problem).map(({ id }) => id)).toEqual([chain[2], chain[1]])
    const { findings } = await verified(offline, { mode: 'quick' })
    expect(findings.filter(({ message }) => message === problem).map(({ point }) => point)).toEqual([chain[1], chain[2]])
  })

  it('of a newer manifest is told as what it is, and the number below counts', async () => {
    const { repository, files, path, chain } = await world(2)
    const file = path(chain[1], 'manifest.1.json')
    const { formatVersion: _, ...members } = await manifestAt({ files }, file)
    const newer = file.replace('manifest.1', 'manifest.2')
    await files.write(newer, encodeChecksummed({ formatVersion: 2, ...members, number: 2 }))
    const offline = await open(repository)
    expect(offline.points.find(({ id }) => id === chain[1])).toMatchObject({ number: 1, state: 'good' })
    expect(offline.findings).toEqual([{ point: chain[1], file: newer, message: expect.stringContaining('format version 2') }])
  })

  it('of repository.json keeps nobody from the points', async () => {
    const { repository, files, points } = await world(2)
    const whole = await files.read('repository.json')
    for (const bytes of [flipped(whole, 500), undefined, new Uint8Array(0)]) {
      await files.write('repository.json', bytes)
      const offline = await open(repository)
      expect(offline.file).toBeUndefined()
      expect(offline.points.filter(({ state }) => state === 'good')).toHaveLength(points.length)
      expect((await verified(offline)).findings).toEqual([{ point: '', file: 'repository.json', message: expect.any(String) }])
      await files.write('repository.json', whole)
    }
  })

  it.each([0, 10, 25])('is not what the empty folder of an unmounted share says, from read %i on', async (readsLeft) => {
    const { repository } = await world(2)
    let left = Number.POSITIVE_INFINITY
    const share: Repository = {
      ...repository,
      async open(path, options) {
        if (left-- <= 0) throw new HoldfastError('NOT_FOUND', `there is no ${path}`)
        return await repository.open(path, options)
      },
      async *list(prefix, options) {
        if (left > 0) yield* repository.list(prefix, options)
      },
    }
    const offline = await open(share)
    left = readsLeft
    await expect(verified(offline)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  })

  it('is a file that the disk cannot read; the other points are still looked at, and a repository that goes away ends it', async () => {
    const { repository, path, chain, points } = await world(2)
    const bad = path(chain[0], 'disk-0.qcow2')
    const broken = { away: false }
    const failing: Repository = {
      ...repository,
      async open(file, options) {
        if (broken.away) throw new HoldfastError('REPOSITORY_MISSING', 'the share is gone')
        if (file === bad) throw new HoldfastError('REPOSITORY_FAILED', `cannot open '${file}': the disk reported an input/output error`)
        return await repository.open(file, options)
      },
    }
    const offline = await open(failing)
    const { findings, points: seen } = await verified(offline)
    expect(seen).toHaveLength(points.length)
    expect(findings).toEqual([
      {
        point: chain[0],
        file: path(chain[0], 'manifest.1.json'),
        message: expect.stringContaining('input/output error'),
        affects: [chain[1]],
      },
    ])
    broken.away = true
    await expect(verified(offline)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  })
})

describe('what may be damage', () => {
  it('is an empty manifest whose files are still there', async () => {
    const { repository, files, path, points } = await world(2)
    const file = path(points[0]?.id, 'manifest.1.json')
    await files.write(file, new Uint8Array(0))
    const offline = await open(repository)
    expect(offline.points).toHaveLength(points.length - 1)
    expect(offline.unreadable).toEqual([])
    expect((await verified(offline)).findings).toEqual([{ point: points[0]?.id, file, message: expect.stringContaining('is empty') }])
  })

  it('is noted: files without a manifest. A dead number without files is neither', async () => {
    const { repository, files, path, points } = await world(2)
    const folder = path(points[0]?.id, 'manifest.1.json').replace('manifest.1.json', '')
    await files.write(`${folder}2/volume.tar.zst`, new Uint8Array(5))
    await files.write(`${folder}manifest.3.json`, new Uint8Array(0))
    const offline = await open(repository)
    expect(offline).toMatchObject({ findings: [], notes: [expect.stringContaining(`${folder}2 has files but no manifest.2.json`)] })
  })
})

describe('a point', () => {
  it('that was quarantined, or builds on one that was, is not good', async () => {
    const { repository, engine, files, path, chain } = await world(3)
    const file = path(chain[1], 'disk-0.qcow2')
    const bytes = await files.read(file)
    await files.write(file, flipped(bytes, bytes.length * 4))
    await engine.verify({ repository: 'main', points: [chain[1] ?? ''] })
    const offline = await open(repository)
    const of = (id?: string) => offline.points.find((point) => point.id === id)
    expect(of(chain[0])?.state).toBe('good')
    expect(of(chain[1])).toMatchObject({ state: 'quarantined', problem: expect.stringMatching(/^is quarantined: .*disk-0.qcow2/) })
    expect(of(chain[2])).toMatchObject({
      state: 'quarantined',
      problem: expect.stringContaining(`builds on point ${chain[1]}, which is quarantined`),
    })
  })

  it('of another repository is found, and is not good', async () => {
    const { repository, files, path, points } = await world(2)
    const file = path(points[3]?.id, 'manifest.1.json')
    await files.write(file, encodeManifest({ ...(await manifestAt({ files }, file)), repositoryId: 'elsewhere' }))
    const offline = await open(repository)
    expect(offline.points.find(({ id }) => id === points[3]?.id)).toMatchObject({
      state: 'foreign',
      problem: expect.stringContaining('elsewhere'),
    })
    expect((await verified(offline)).findings).toEqual([{ point: points[3]?.id, file, message: expect.stringContaining('elsewhere') }])
  })

  it('that is named is verified with what it builds on, and nothing else is', async () => {
    const { repository, files, path, chain, points } = await world(3)
    const other = path(points[0]?.id, '.tar.zst')
    await files.write(other, flipped(await files.read(other), 300))
    const offline = await open(repository)
    const folder = offline.points.find(({ id }) => id === chain[1])?.folder ?? ''
    expect(await verified(offline, { folders: [folder] })).toEqual({ points: [chain[0], chain[1]], findings: [] })
  })
})

it('a point that its owner deletes while it is verified is no finding', async () => {
  const { repository, engine, points } = await world(2)
  const offline = await open(repository)
  const [first] = points
  // Nothing builds on it.
  const doomed = points.at(-1)
  const verifying = offline.verify({ mode: 'full', meter: meter(), signal })
  expect((await verifying.next()).value).toEqual({ point: first?.id, findings: [] })
  await engine.prune({ repository: 'main', points: [doomed?.id ?? ''] })
  const seen: string[] = []
  for await (const { point, findings } of verifying) {
    seen.push(point)
    expect(findings).toEqual([])
  }
  expect(seen).not.toContain(doomed?.id)
  expect(seen).toHaveLength(points.length - 2)
})

describe('what is no repository', () => {
  it('is refused: nothing there, other files, and a home full of them', async () => {
    await expect(open(memoryRepository())).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
    const repository = memoryRepository()
    for (const path of ['notes.txt', 'photos/1.jpg']) await repository.put(path, bytesOf('x'), { signal })
    await expect(open(repository)).rejects.toMatchObject({ code: 'REPOSITORY_MISSING', remedy: expect.stringContaining('repository.json') })
    const listed = { count: 0 }
    async function* home() {
      for (; listed.count < 1_000_000; listed.count++) yield { path: `photos/${listed.count}.jpg`, size: 1, ageMs: 1 }
    }
    await expect(open({ ...repository, list: home })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
    expect(listed.count).toBeLessThan(20_000)
    const closed = async function* () {
      yield* []
      throw new HoldfastError('ACCESS_DENIED', 'permission is denied')
    }
    await expect(open({ ...repository, list: closed })).rejects.toMatchObject({ code: 'REPOSITORY_MISSING' })
  })

  it('is refused when it is of a newer version', async () => {
    const { repository, files } = await world(1)
    const newer = encodeChecksummed({ formatVersion: 2, repositoryId: 'r', owner: 'o', epoch: 1 })
    await files.write('repository.json', newer)
    await expect(open(repository)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: expect.stringContaining('format version 2'),
    })
  })

  it('is left when the signal aborts', async () => {
    const { repository } = await world(1)
    const aborted = AbortSignal.abort(new HoldfastError('ABORTED', 'enough'))
    await expect(openOffline({ repository, clock, signal: aborted })).rejects.toMatchObject({ code: 'ABORTED' })
    const offline = await open(repository)
    const verifying = offline.verify({ mode: 'full', meter: meter(), signal: aborted })
    await expect(verifying.next()).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
