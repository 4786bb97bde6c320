import { memoryRepository } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { nightly, options, planWorld } from '../../../test/plan-world.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Repository } from '../../spec/repository.ts'

const once = { retry: { maxFailures: 1 } }

/** `told`: what is told, beside plain successes, in words that begin so. */
function world() {
  const base = planWorld()
  onTestFinished(base.close)
  async function told(title: string): Promise<readonly string[]> {
    const lines: string[] = []
    for (const { event } of await base.store.outbox.take(0, 1000, options)) {
      const { type, text } = event as { readonly type: string; readonly text: string }
      if (text.startsWith(title) && type !== 'run-succeeded') lines.push(`${type}: ${text}`)
    }
    return lines
  }
  return { ...base, told }
}

/** A repository in which nothing can be written that `broken` says; until then it is as good as any. */
function breakable(inner: Repository, broken: (path: string, size: number | undefined) => boolean): Repository {
  return {
    ...inner,
    async put(path, bytes, given) {
      if (broken(path, given.size)) throw new HoldfastError('REPOSITORY_FAILED', 'bad block')
      return await inner.put(path, bytes, given)
    },
  }
}

test('pruning that works for one workload is no all-clear for another for which it fails', async () => {
  const { clock, platform, make, told } = world()
  const workloads = ['a', 'b'].map((name) => ({ provider: 'p', id: platform.addVolume(name) }))
  let broken = true
  // The empty file is the flag that condemns a point.
  const main = breakable(memoryRepository({ clock }), (path, size) => broken && path.startsWith('a-') && size === 0)
  const engine = await make({ n: nightly('', { workloads, retention: { last: 1 } }) }, { ...once, repositories: { main }, concurrency: 1 })
  await clock.runUntil(engine.start())
  const night = async () => {
    await clock.runUntil(Promise.resolve(engine.runPlan('n')))
    await clock.runUntil(engine.idle())
  }
  await night()
  await night()
  const title = `Pruning of p/${workloads[0]?.id} (plan "n")`
  expect(await told('Pruning')).toEqual([
    `run-failed: ${title} failed: bad block. Read the cause shown, and check the disk or share that holds the repository.`,
  ])
  broken = false
  await night()
  expect((await told('Pruning')).slice(1)).toEqual([`run-recovered: ${title} works again. It had failed: bad block`])
})

test('a backup by hand into one repository is no all-clear for another repository', async () => {
  const { clock, platform, make, told } = world()
  const workload = { provider: 'p', id: platform.addVolume('a') }
  let broken = true
  const main = breakable(memoryRepository({ clock }), (path) => broken && path.includes('.tar'))
  const engine = await make({}, { ...once, repositories: { main, other: memoryRepository({ clock }) } })
  await clock.runUntil(engine.start())
  const backup = async (key: string, repository: string) => {
    const order = { key, operation: 'backup', repository, workload, compression: 'none' } as const
    await clock.runUntil(Promise.resolve(engine.run(order)).catch(() => undefined))
  }
  await backup('1', 'main')
  await backup('2', 'other')
  expect(await told('Backup')).toEqual([
    `run-failed: Backup of p/${workload.id} failed: bad block. Read the cause shown, and check the disk or share that holds the repository.`,
  ])
  broken = false
  await backup('3', 'main')
  expect((await told('Backup')).slice(1)).toEqual([`run-recovered: Backup of p/${workload.id} works again. It had failed: bad block`])
})

test('a plan that was given another repository after a failure gets its all-clear there', async () => {
  const { clock, platform, make, told } = world()
  const id = platform.addVolume('a')
  const main = breakable(memoryRepository({ clock }), (path) => path.includes('.tar'))
  const engine = await make({ n: nightly(id) }, { ...once, repositories: { main, other: memoryRepository({ clock }) } })
  await clock.runUntil(engine.start())
  await clock.runUntil(Promise.resolve(engine.runPlan('n')).catch(() => undefined))
  await engine.putPlan('n', nightly(id, { repository: 'other' }))
  await clock.runUntil(Promise.resolve(engine.runPlan('n')))
  expect((await told('Backup')).map((line) => line.slice(0, line.indexOf(':')))).toEqual(['run-failed', 'run-recovered'])
})

test('a clean-up of one repository that works is no all-clear for that of another', async () => {
  const { clock, make, told } = world()
  const main = memoryRepository({ clock })
  // biome-ignore lint/correctness/useYield: it fails before it has anything to give.
  async function* list(): AsyncGenerator<never> {
    throw new HoldfastError('REPOSITORY_FAILED', 'bad block')
  }
  const plan = { kind: 'maintenance', task: 'clean-up' } as const
  const engine = await make(
    { tidy: plan },
    { ...once, repositories: { main: { ...main, list }, other: memoryRepository({ clock }) }, concurrency: 1 },
  )
  await clock.runUntil(engine.start())
  for (let time = 0; time < 2; time++) await clock.runUntil(Promise.resolve(engine.runPlan('tidy')).catch(() => undefined))
  const lines = await told('Clean-up')
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.every((line) => line.startsWith('run-failed: Clean-up of repository "main"'))).toBe(true)
})
