import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { createEngine } from './create-engine.ts'

async function world(shape: 'tarVolume' | 'ovirtLike' | 'rawDisk' | 'esxiLike') {
  const random = seededRandom(7)
  const platform = memoryPlatform({ random })
  const id = shape === 'tarVolume' ? platform.addVolume('data') : platform.addMachine('web', 3)
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const engine = await createEngine({
    name: 'node-a',
    store,
    repositories: { main: repository },
    providers: { p: scriptedProvider(platform, { shape, name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
  })
  return { random, platform, id, store, repository, engine }
}

for (const shape of ['tarVolume', 'ovirtLike', 'rawDisk', 'esxiLike'] as const) {
  test(`${shape}: a workload goes there and back, byte for byte, full and then incremental`, async () => {
    const { engine, platform, id, random } = await world(shape)
    await engine.start()
    const [first] = await engine.runPlan('nightly')
    const before = platform.digest(id)
    for (let count = 0; count < 3; count++) platform.mutate(random)
    const [second] = await engine.runPlan('nightly')
    const after = platform.digest(id)
    expect(first?.point).not.toBe(second?.point)
    const { findings, points } = await engine.verify({ repository: 'main' })
    expect(findings).toEqual([])
    expect(points).toBe(2)
    const old = await engine.restore({ provider: 'p', id }, { point: first?.point ?? '', name: 'older' })
    const newer = await engine.restore({ provider: 'p', id }, { name: 'newer' })
    expect(platform.digest(old.workload)).toBe(before)
    expect(platform.digest(newer.workload)).toBe(after)
    await engine.idle()
    expect(platform.leftovers()).toEqual([])
    await engine.stop()
  })
}
