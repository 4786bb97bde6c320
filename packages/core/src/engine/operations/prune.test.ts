import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import type { Store } from '../../spec/store.ts'
import { createEngine } from '../create-engine.ts'

/** A store that has forgotten every flag, as one that was rolled back to a moment before they were set. */
function forgetful(store: Store): Store {
  return {
    ...store,
    points: {
      ...store.points,
      async catalog(repository, workload, options) {
        const catalog = await store.points.catalog(repository, workload, options)
        return { ...catalog, points: catalog.points.map((point) => ({ ...point, flags: {} })) }
      },
    },
  }
}

test('a pin that only the repository remembers keeps its point from being deleted', async () => {
  const platform = memoryPlatform({ random: seededRandom(9) })
  const id = platform.addVolume('data')
  const repository = memoryRepository({ clock: systemClock })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const common = {
    repositories: { main: repository },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
  } as const
  const first = await createEngine({ name: 'node-a', store, ...common })
  await first.start()
  const [outcome] = await first.runPlan('nightly')
  const point = outcome?.point ?? ''
  await first.pin({ repository: 'main', point }, 'audit')
  await first.stop()

  const second = await createEngine({ name: 'node-a', store: forgetful(store), ...common })
  await expect(second.prune({ repository: 'main', points: [point] })).rejects.toMatchObject({
    code: 'POINT_NEEDED',
    message: expect.stringContaining('audit'),
  })
  const { findings } = await second.verify({ repository: 'main', points: [point] })
  expect(findings.filter(({ file }) => !file.endsWith('pin.json'))).toEqual([])
  await second.stop()
})
