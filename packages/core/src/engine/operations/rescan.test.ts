import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'
import { systemClock } from '../../clock.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
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

test('a workload of which no manifest can be read is told, manifest by manifest', async () => {
  const { engine, ids, repository } = await chainWorld(2)
  const signal = new AbortController().signal
  const damaged: string[] = []
  for (const [path, bytes] of repository.snapshot()) {
    if (!path.endsWith('/manifest.1.json')) continue
    await repository.put(path, bytesOf(bytes.subarray(0, bytes.length - 9)), { signal })
    damaged.push(path)
  }
  const { findings } = await engine.rescan({ repository: 'main' })
  expect(findings.map(({ file }) => file).sort()).toEqual(damaged.sort())
  expect(findings.map(({ point }) => point).sort()).toEqual(ids.sort())
})
