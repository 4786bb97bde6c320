import { describe, expect, it } from 'vitest'
import { fakeClock } from '../fake-clock.ts'
import { countingIds } from '../fake-ids.ts'
import { type MemoryStoreOptions, memoryStore } from './memory-store.ts'

const options = { signal: new AbortController().signal }
const request = (key: string) => ({
  key,
  operation: 'backup',
  delay: 0,
  priority: 0,
  maxFailures: 3,
  needs: [],
  resources: [],
  input: null,
})
const make = (more: Partial<MemoryStoreOptions> = {}) => memoryStore({ clock: fakeClock(), ids: countingIds(), ...more })

describe('memory store', () => {
  it('puts a copy back as it was, as often as you like, whatever happened since', async () => {
    const store = make()
    const { epoch } = await store.open(options)
    await store.runs.create([request('old')], options)
    await store.nodes.report({ node: 'a', state: 'OK', version: '1', checks: [] }, options)
    const yesterday = store.dump()
    for (let round = 0; round < 2; round++) {
      await store.runs.create([request('new')], options)
      await store.runs.take({ id: 'worker', offers: [] }, 1000, 5, options)
      await store.plans.put({ id: 'p', revision: 0, plan: 1 }, [], options)
      await store.nodes.report({ node: 'a', state: 'Error', version: '1', checks: [] }, options)
      await store.open(options)
      store.load(yesterday)
      expect((await store.runs.get('old', options))?.state).toBe('queued')
      expect(await store.runs.get('new', options)).toBeUndefined()
      expect(await store.plans.get('p', options)).toBeUndefined()
      expect((await store.nodes.list(options)).map((node) => node.state)).toEqual(['OK'])
    }
    expect((await store.open(options)).epoch).toBe(epoch + 1)
  })

  it('goes on after it was disposed, for the next engine', async () => {
    const store = make({ storeId: 'mine' })
    await store.open(options)
    await store.runs.create([request('one')], options)
    await store[Symbol.asyncDispose]()
    expect(await store.open(options)).toMatchObject({ storeId: 'mine', epoch: 2 })
    expect((await store.runs.get('one', options))?.key).toBe('one')
  })

  it('waits for its turn before a method takes effect and again before it answers', async () => {
    const turns: string[] = []
    const store = make({
      turn: async (label, moment) => {
        turns.push(`${label} ${moment}`)
      },
    })
    await store.open(options)
    await store.runs.create([request('one')], options)
    for await (const _ of store.runs.list({}, options));
    const names = ['open', 'runs.create', 'runs.list']
    expect(turns).toEqual(names.flatMap((name) => [`${name} before`, `${name} after`]))
  })

  it.each([
    ['before', false],
    ['after', true],
  ] as const)('loses the request if the turn %s fails, and has the effect: %s', async (failing, effect) => {
    let fails = false
    const store = make({
      turn: async (_, moment) => {
        if (fails && moment === failing) throw new Error('lost')
      },
    })
    fails = true
    await expect(store.runs.create([request('one')], options)).rejects.toThrow('lost')
    fails = false
    expect((await store.runs.get('one', options)) !== undefined).toBe(effect)
  })

  it('gives frozen data that nobody can change by accident', async () => {
    const store = make()
    const [created] = await store.runs.create([{ ...request('one'), needs: ['provider:docker'] }], options)
    const needs = (created?.run.needs ?? []) as string[]
    expect(needs).toEqual(['provider:docker'])
    expect(() => needs.push('x')).toThrow(TypeError)
  })
})
