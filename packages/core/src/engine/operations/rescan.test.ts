import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'
import { createEngine } from '../create-engine.ts'

test('a manifest that cannot be read is a finding; the other points are found and its row stays', async () => {
  const platform = memoryPlatform({ random: seededRandom(5) })
  const id = platform.addVolume('data')
  const inner = memoryRepository({ clock: systemClock })
  let bad = ''
  const repository: Repository = {
    ...inner,
    async open(path, options) {
      if (path === bad) throw new HoldfastError('REPOSITORY_FAILED', `cannot read ${path} (EIO)`)
      return await inner.open(path, options)
    },
  }
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: repository },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
  })
  await engine.start()
  await engine.runPlan('nightly')
  await engine.runPlan('nightly')
  for (const [path] of inner.snapshot()) if (path.endsWith('/manifest.1.json')) bad = path
  const { findings } = await engine.rescan({ repository: 'main' })
  expect(findings).toMatchObject([{ file: bad, message: expect.stringContaining('EIO') }])
  expect(await engine.points({ repository: 'main' })).toHaveLength(2)
  bad = ''
  await engine.stop()
})
