import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from '../../clock.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'
import { createEngine } from '../create-engine.ts'

/** A repository whose writes begin to fail with the first archive, until somebody mends it. */
function breaking(inner: Repository) {
  let broken = false
  const repository: Repository = {
    ...inner,
    async put(path, bytes, options) {
      if (path.includes('.tar')) broken = true
      if (broken) throw new HoldfastError('REPOSITORY_NOT_WRITABLE', `${path}: the share was lost`)
      return await inner.put(path, bytes, options)
    },
  }
  return {
    repository,
    mend() {
      repository.put = inner.put
      broken = false
    },
  }
}

test('a share that is lost in the middle of a run keeps no container stopped, and the run ends when it is back', async () => {
  const platform = memoryPlatform({ random: seededRandom(3) })
  const id = platform.addVolume('data')
  const { repository, mend } = breaking(memoryRepository({ clock: systemClock }))
  const warnings: string[] = []
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: repository },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
    leaseMs: 150,
    retry: { delayMs: 10, maxFailures: 100 },
  })
  engine.on('warning', ({ code }) => void warnings.push(code))
  await engine.start()
  const run = engine.runPlan('nightly')
  await expect.poll(() => warnings.includes('SETTLE_WAITS'), { timeout: 5000 }).toBe(true)
  await expect.poll(() => platform.leftovers(), { timeout: 5000 }).toEqual([])
  mend()
  const [outcome] = await run
  expect(outcome?.point).toMatch(/Z-/)
  await engine.stop()
})
