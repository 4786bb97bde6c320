import { memoryRepository, scriptedProvider } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { planWorld } from '../../test/plan-world.ts'
import type { PlanInput } from '../model/plan.ts'
import { formOf } from '../model/savings.ts'

/** Two machines, backed up as a platform packs its disks, and as blocks. */
async function world() {
  const made = planWorld('ovirtLike')
  onTestFinished(made.close)
  const { clock, platform, make } = made
  const ids = [platform.addMachine('web', 1), platform.addMachine('db', 2)]
  const backup = (provider: string, of: readonly string[]): PlanInput => ({
    kind: 'backup',
    repository: 'main',
    workloads: of.map((id) => ({ provider, id })),
    compression: 'none',
    // Increments of a stream go through files, which take time of their own.
    ...(provider === 'e' && { chain: { maxIncrementals: 0 } }),
  })
  const repositories = { main: memoryRepository({ clock }), offsite: memoryRepository({ clock }) }
  const engine = await make(
    { ovf: backup('e', ids.slice(0, 1)), blocks: backup('p', ids), idle: backup('p', ids) },
    { providers: { p: made.provider, e: scriptedProvider(platform, { shape: 'esxiLike', name: 'e' }) }, repositories },
  )
  await clock.runUntil(engine.start())
  const runPlan = async (plan: string) => {
    await clock.runUntil(Promise.resolve(engine.runPlan(plan)))
    await clock.runUntil(engine.idle())
  }
  return { ...made, ids, engine, runPlan }
}

test('savings of a plan are the sums of its backups, together, for each workload and by form; newest and what lies there now', async () => {
  const { clock, engine, runPlan, ids } = await world()
  await runPlan('blocks')
  await runPlan('blocks')
  const found = await engine.savings({ plan: 'blocks' })
  const points = await engine.points({ repository: 'main' })
  const sum = (member: 'provisioned' | 'used' | 'transferred' | 'stored') =>
    points.reduce((total, { summary }) => total + summary.bytes[member], 0)
  const bytes = { provisioned: sum('provisioned'), used: sum('used'), transferred: sum('transferred'), stored: sum('stored') }
  expect(found.total).toEqual({ runs: 4, bytes })
  expect(bytes.provisioned).toBe(2 * (196_608 + 196_608 + 195_584))
  expect(bytes.stored).toBeGreaterThan(0)
  expect(found.byForm.map(({ form, runs }) => [form, runs])).toEqual([
    ['qcow2', 2],
    ['qcow2 incremental', 2],
  ])
  expect(found.byForm.reduce((total, { bytes: { stored } }) => total + stored, 0)).toBe(bytes.stored)
  expect(found.workloads.map(({ workload, total }) => [workload.id, total.runs])).toEqual(ids.map((id) => [id, 2]))
  expect(found.newest?.form).toBe('qcow2 incremental')
  expect(found.kept).toEqual([{ repository: 'main', points: 4, stored: bytes.stored }])

  const [workload] = found.workloads
  const newest = workload?.newest?.point as string
  await clock.runUntil(Promise.resolve(engine.prune({ repository: 'main', points: [newest] })))
  const after = await engine.savings({ plan: 'blocks' })
  expect(after.total).toEqual(found.total)
  expect(after.kept).toMatchObject([{ repository: 'main', points: 3 }])
  expect(JSON.parse(JSON.stringify(after))).toEqual(after)
})

test('a point that was copied counts where it lies, and its backup once', async () => {
  const { clock, engine, runPlan, ids } = await world()
  await runPlan('ovf')
  const workload = { provider: 'e', id: ids[0] as string }
  await clock.runUntil(Promise.resolve(engine.copy({ from: 'main', repository: 'offsite', workload })))
  const { total, kept, byForm } = await engine.savings({ plan: 'ovf' })
  expect(total.runs).toBe(1)
  expect(kept.map(({ repository, points }) => [repository, points])).toEqual([
    ['main', 1],
    ['offsite', 1],
  ])
  expect(byForm.map(({ form }) => form)).toEqual(['vmdk'])
})

test('savings of a run are what it recorded, by its key or id; disks kept as the platform packed them are told from others', async () => {
  const { engine, runPlan, runs } = await world()
  await runPlan('ovf')
  const [run] = await runs('backup')
  const found = await engine.savings({ run: run?.key as string })
  expect(found).toMatchObject({ run: run?.key, plan: 'ovf', repository: 'main', form: 'vmdk' })
  const beside = found.items.filter(({ format }) => format === 'bytes').reduce((total, { size }) => total + size, 0)
  expect(found.bytes.provisioned).toBe(196_608 + beside)
  expect(found.items.map(({ format }) => format)).toEqual(['vmdk', 'bytes', 'bytes', 'bytes'])
  expect(await engine.savings({ run: run?.id as string })).toEqual(found)
  expect((await engine.savings({ plan: 'ovf' })).newest).toEqual(found)
})

test('of what there is not, and of what has made no backup', async () => {
  const { clock, engine } = await world()
  expect(await engine.savings({ plan: 'idle' })).toEqual({
    plan: 'idle',
    total: { runs: 0, bytes: { provisioned: 0, used: 0, transferred: 0, stored: 0 } },
    byForm: [],
    kept: [],
    workloads: [],
  })
  await expect(engine.savings({ plan: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(engine.savings({ run: 'nothing' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await clock.runUntil(Promise.resolve(engine.verify({ repository: 'main', key: 'v' })))
  await expect(engine.savings({ run: 'v' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('verify') })
  for (const wrong of [{}, { plan: 'a', run: 'b' }, { plans: 'a' }, undefined])
    await expect(engine.savings(wrong as never)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
})

test('a result that tells no format is known by the form of its disks', () => {
  expect(formOf([{ name: 'a', form: 'full', size: 1, stored: 1 }])).toBe('qcow2')
  expect(formOf([{ name: 'a', form: 'kept', size: 1, stored: 1 }])).toBe('bytes')
  expect(formOf([])).toBe('')
})
