import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createEngine } from './create-engine.ts'

test('a platform that cannot be looked at for leftovers is a warning that says why', async () => {
  const provider = scriptedProvider(memoryPlatform({ random: seededRandom(7) }), { shape: 'tarVolume', name: 'p' })
  const failure = new HoldfastError('UNREACHABLE', 'There is no Docker socket at /run/docker.sock.')
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock: systemClock, ids: countingIds('s') }),
    repositories: { main: memoryRepository({ clock: systemClock }) },
    providers: {
      docker: {
        ...provider,
        // biome-ignore lint/correctness/useYield: it fails before it finds anything.
        async *leftovers() {
          throw failure
        },
      },
    },
  })
  onTestFinished(() => engine.stop())
  const warnings: unknown[] = []
  engine.on('warning', (warning) => void warnings.push(warning))
  await engine.start()
  expect(warnings).toEqual([
    {
      code: 'SWEEP_FAILED',
      message: 'provider "docker" was not looked at for leftovers: There is no Docker socket at /run/docker.sock.',
      cause: failure,
    },
  ])
})
