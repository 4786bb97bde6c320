import { afterEach, expect, test } from 'vitest'
import { minute, options, pass, planWorld } from '../../../test/plan-world.ts'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

test('a start that does not come to its end makes the node Error, and says so', async () => {
  const { clock, store, make, close } = planWorld()
  closing.push(close)
  await store.open(options)
  const needs = ['repository:main']
  const request = { key: 'k', operation: 'verify', delay: 0, priority: 0, maxFailures: 1, needs, resources: [], input: null } as const
  await store.runs.create([request], options)
  await store.runs.take({ id: 'dead', offers: needs }, minute, 1, options)
  const take = store.runs.take
  let stuck = true
  ;(store.runs as { take: unknown }).take = (...given: Parameters<typeof take>) => (stuck ? Promise.resolve([]) : take(...given))
  const engine = await make({})
  const started = engine.start()
  const checkOf = async () => (await engine.status({ details: true })).nodes[0]?.checks?.find(({ name }) => name === 'start')
  await pass(clock, 5 * minute, minute)
  expect(await checkOf()).toBeUndefined()
  await pass(clock, 6 * minute, minute)
  expect(await checkOf()).toMatchObject({ state: 'Error', message: expect.stringMatching(/^The start has not finished for 1[01] min/) })
  stuck = false
  await clock.runUntil(started)
  await pass(clock, minute, minute)
  expect(await checkOf()).toBeUndefined()
})
