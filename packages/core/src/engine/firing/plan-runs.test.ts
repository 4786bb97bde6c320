import { memoryRepository } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hour, minute, pass, planWorld } from '../../../test/plan-world.ts'
import type { VerificationPlanInput } from '../../model/plan.ts'
import type { Repository } from '../../spec/repository.ts'

test.each(['quick', 'restore'] as const)(
  'queue-one: a verification (%s) begins when the one before has ended, and one waits',
  async (mode) => {
    const { clock, platform, make, runs, close } = planWorld()
    onTestFinished(close)
    const inner = memoryRepository({ clock })
    let slow = false
    const main: Repository = {
      ...inner,
      async open(path, given) {
        if (slow) await clock.sleep(10 * hour, given)
        return await inner.open(path, given)
      },
    }
    const hourly: VerificationPlanInput = {
      kind: 'verification',
      repository: 'main',
      mode,
      schedule: { type: 'simple', every: 'hour', overlap: 'queue-one' },
    }
    const engine = await make({ v: hourly }, { repositories: { main }, concurrency: 20 })
    await clock.runUntil(engine.start())
    const workload = { provider: 'p', id: platform.addVolume('a') }
    await clock.runUntil(Promise.resolve(engine.run({ key: 'k', operation: 'backup', repository: 'main', compression: 'none', workload })))
    slow = true
    await pass(clock, 4 * hour + 30 * minute)
    const states = (await runs()).slice(1).map(({ state }) => state)
    expect(states).toEqual(['running', 'queued', 'skipped', 'skipped'])
  },
)
