import {
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, onTestFinished } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { createEngine } from '../src/engine/create-engine.ts'
import { bytesOf } from '../src/spec/helpers/bytes.ts'

const { signal } = new AbortController()

/** A workload, a machine with two disks unless told otherwise, as many points of it as asked for, and what it held at each of them. */
export async function chainWorld(points: number, shape: 'ovirtLike' | 'tarVolume' | 'esxiLike' = 'ovirtLike') {
  const platform = memoryPlatform({ random: seededRandom(11), clusters: 12 })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const offsite = memoryRepository({ clock: systemClock })
  const provider = scriptedProvider(platform, { shape, name: 'p' })
  const engine = await createEngine({
    name: 'node-a',
    store,
    repositories: { main: repository, offsite },
    providers: { p: provider },
    logger: recordingLogger(),
    retry: { maxFailures: 1 },
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  const workload = { provider: 'p', id: shape === 'tarVolume' ? platform.addVolume('shop') : platform.addMachine('shop') }
  const random = seededRandom(5)
  const digests = new Map<string, string | undefined>()
  const backup = async () => {
    const digest = platform.digest(workload.id)
    const { point } = (await engine.run({ key: `backup-${digests.size}`, operation: 'backup', repository: 'main', workload })) as {
      readonly point: string
    }
    digests.set(point, digest)
    for (let writes = 0; writes < 4; writes++) platform.mutate(random)
    return point
  }
  const ids: string[] = []
  for (let made = 0; made < points; made++) ids.push(await backup())
  let restored = 0
  /** Every point that is left gives what the machine held then, and nothing that is stored is damaged. */
  const expectAllGood = async (name = 'main') => {
    const { findings } = await engine.verify({ repository: name })
    expect(findings).toEqual([])
    for (const { id } of await engine.points({ repository: name })) {
      const made = await engine.restore(workload, { repository: name, point: id, name: `again-${restored++}` })
      expect(platform.digest(made.workload), id).toBe(digests.get(id))
    }
  }
  /** What each disk of a point builds on, or that it is a full. */
  const formsOf = async (id: string | undefined, name = 'main') => {
    const points = await engine.points({ repository: name })
    return points.find((point) => point.id === id)?.summary.disks.map(({ form, parent }) => parent ?? form)
  }
  /** Flips a bit of the last data of each disk of a point, as it was first written. */
  const spoil = async (id: string | undefined) => {
    for await (const { path, size } of repository.list('', { signal })) {
      if (!path.includes(`${id}/1/`) || !path.endsWith('.qcow2')) continue
      const file = await repository.open(path, { signal })
      const bytes = Buffer.alloc(size)
      await file.readInto(bytes, 0, { signal })
      bytes[size - 100] = (bytes[size - 100] ?? 0) ^ 1
      await repository.put(path, bytesOf(bytes), { signal })
    }
  }
  return { platform, store, repository, offsite, engine, workload, ids, backup, expectAllGood, formsOf, spoil }
}
