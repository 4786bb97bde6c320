import { afterEach, beforeEach, expect, test } from 'vitest'
import { planWorld } from '../../../test/plan-world.ts'
import type { Engine, RunOrder } from '../engine.ts'

let world: ReturnType<typeof planWorld>
let engine: Engine
let shop: string
let web: string
beforeEach(async () => {
  world = planWorld()
  shop = world.platform.addVolume('shop-db')
  web = world.platform.addVolume('web')
  engine = await world.make({})
})
afterEach(() => world.close())

const backupOf = (id: string, key = 'order-1'): RunOrder =>
  ({ key, operation: 'backup', repository: 'main', workload: { provider: 'p', id }, compression: 'none' }) as const

test('the same key for the same work is the same run, also after it has ended and with the defaults written out', async () => {
  const first = await world.clock.runUntil(Promise.resolve(engine.run(backupOf(shop))))
  expect(await world.clock.runUntil(Promise.resolve(engine.run(backupOf(shop))))).toEqual(first)
  expect(await world.clock.runUntil(Promise.resolve(engine.run({ options: {}, ...backupOf(shop) })))).toEqual(first)
  expect(await engine.points({ repository: 'main' })).toHaveLength(1)
})

test('a key that stands for another workload is refused, and says what differs', async () => {
  await world.clock.runUntil(Promise.resolve(engine.run(backupOf(shop))))
  await expect(world.clock.runUntil(Promise.resolve(engine.run(backupOf(web))))).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
    message: `The key "order-1" stands for another run: backup of p/${shop}. What is asked for now differs in workload.`,
    remedy: 'Use a new key for other work. What became of the run with this key: engine.getRun("order-1").',
    details: { key: 'order-1', differs: ['workload'] },
  })
  expect(await engine.points({ repository: 'main', workload: { provider: 'p', id: web } })).toEqual([])
})

test('a restore with the key of a backup is refused instead of answering with the backup', async () => {
  await world.clock.runUntil(Promise.resolve(engine.run(backupOf(shop))))
  const restore = engine.restore({ provider: 'p', id: shop }, { name: 'copy', key: 'order-1' })
  await expect(restore.accepted()).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  await expect(restore).rejects.toMatchObject({ details: { differs: ['operation'] } })
})

test('the values that differ are not shown: options may hold what is secret', async () => {
  await world.clock.runUntil(Promise.resolve(engine.run(backupOf(shop))))
  const other = engine.run({ ...backupOf(shop), plan: 'hunter2' })
  await expect(other).rejects.toThrow(/differs in plan\.$/)
})
