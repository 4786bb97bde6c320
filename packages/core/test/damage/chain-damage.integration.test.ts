import { type MemoryRepository, memoryRepository } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type DiskItem, decodeManifest } from '../../src/model/manifest.ts'
import { type Finding, openOffline } from '../../src/offline/index.ts'
import { createProgressMeter } from '../../src/transfer/index.ts'
import { damageWorld, flipped, hastyClock } from './damage-world.ts'
import { filesInMemory } from './stored-files.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261125)
const { signal } = new AbortController()

/** A machine with two disks, backed up four times: the disks of each point and where they lie. */
async function chainWorld() {
  const repository = memoryRepository()
  const world = await damageWorld({ seed, repository, rounds: 4 })
  onTestFinished(() => world.engine.stop())
  const files = filesInMemory(repository)
  const paths = await files.paths()
  const ids = world.points.filter(({ workload }) => workload.provider === 'ovirt').map(({ id }) => id)
  const points = []
  for (const id of ids) {
    const path = paths.find((each) => each.endsWith(`/${id}/manifest.1.json`)) ?? ''
    const folder = path.slice(0, path.lastIndexOf('/'))
    const { items } = decodeManifest(await files.read(path), { folder, number: 1 })
    points.push({ id, folder, disks: items.filter((item): item is DiskItem => item.type === 'disk') })
  }
  return { ...world, repository, files, points }
}

async function offlineFindings(repository: MemoryRepository, mode: 'full' | 'quick' = 'full'): Promise<readonly Finding[]> {
  const offline = await openOffline({ repository, clock: hastyClock, signal })
  const findings: Finding[] = []
  for await (const each of offline.verify({ mode, meter: createProgressMeter({ clock: hastyClock }), signal }))
    findings.push(...each.findings)
  return findings
}

/** Points whose disk of this key builds on the one at this place, by another way than the one under test. */
function buildOn(points: Awaited<ReturnType<typeof chainWorld>>['points'], from: number, key: string): readonly string[] {
  const reached = new Set([points[from]?.id])
  for (const { id, disks } of points.slice(from + 1)) {
    const parent = disks.find(({ disk }) => disk.key === key)?.parent
    if (parent !== undefined && reached.has(parent)) reached.add(id)
  }
  return [...reached].slice(1) as string[]
}

describe(`damage in a chain of four points (seed ${seed})`, () => {
  it('is told with disk, guest offset and the points that build on it, by the engine and without it', async () => {
    const { engine, repository, files, points } = await chainWorld()
    expect(points).toHaveLength(4)
    const told: unknown[] = []
    engine.on('point-damaged', (event) => told.push(event))
    let affected = 0
    for (const [place, { id, folder, disks }] of points.entries()) {
      for (const { disk, file, metadata, sums, dataBytes } of disks) {
        if (dataBytes === 0) continue
        const path = `${folder}/${file.path}`
        const whole = await files.read(path)
        await files.write(path, flipped(whole, metadata.size * 8 + 3))
        const records = Buffer.from(await files.read(`${folder}/${sums.path}`)).subarray(32)
        const first = Array.from({ length: records.length / 24 }, (_, at) => records.subarray(at * 24)).find((record) => record[6] === 1)
        const cluster = first?.readUIntLE(0, 6) ?? Number.NaN
        const affects = buildOn(points, place, disk.key)
        affected += affects.length
        const range = { cluster, offset: cluster * 65_536, length: Math.min(65_536, disk.size - cluster * 65_536) }
        const finding = {
          point: id,
          file: path,
          message: `${path}: the cluster at guest offset ${range.offset} differs from its sum`,
          disk: { key: disk.key, clusters: 1, ranges: [range] },
          ...(affects.length > 0 && { affects }),
        }
        expect(await offlineFindings(repository)).toEqual([finding])
        const { findings } = await engine.verify({ repository: 'main' })
        expect(findings).toEqual([finding])
        expect(told.splice(0)).toEqual([{ repository: 'main', ...finding }])
        await files.write(path, undefined)
        expect(await offlineFindings(repository, 'quick')).toMatchObject([
          { file: path, message: 'the file is gone', disk: { key: disk.key, clusters: 0 }, ...(affects.length > 0 && { affects }) },
        ])
        await files.write(path, whole)
      }
    }
    expect(affected).toBeGreaterThan(5)
  })

  it('of a manifest affects all that build on its point, of a flag nobody', async () => {
    const { repository, files, points, engine } = await chainWorld()
    const [first, second, third, fourth] = points
    const path = `${second?.folder}/manifest.1.json`
    const whole = await files.read(path)
    await files.write(path, flipped(whole, 900))
    const { findings } = await engine.verify({ repository: 'main', points: [second?.id ?? ''] })
    expect(findings.filter(({ point, file }) => point === second?.id && file === path)).toMatchObject([
      { affects: [third?.id, fourth?.id] },
    ])
    await files.write(path, whole)
    const pin = `${first?.folder}/pin.json`
    await files.write(pin, Buffer.from('{}'))
    const damaged = (await offlineFindings(repository)).filter(({ file }) => file === pin)
    expect(damaged).toHaveLength(1)
    expect(damaged[0]).not.toHaveProperty('affects')
  })
})
