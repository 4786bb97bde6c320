import { describe, expect, it } from 'vitest'
import { collectingSink } from './collecting-sink.ts'
import { memoryMappedBlocks } from './memory-blocks.ts'
import { memoryRunContext } from './memory-run-context.ts'
import { type CallPoint, observeCalls, observeProvider, pointName } from './observe-calls.ts'
import { platformWithWorkload } from './scripted-provider/provider-fixtures.ts'
import { providerShapes, scriptedProvider } from './scripted-provider/scripted-provider.ts'

const options = { signal: new AbortController().signal }
function recorder() {
  const points: CallPoint[] = []
  return { points, names: () => points.map(pointName), hook: (point: CallPoint) => void points.push(point) }
}

describe('observeCalls', () => {
  it('calls the hook before and after each asynchronous call, counts per method, and passes arguments and results', async () => {
    const { hook, points, names } = recorder()
    const observed = observeCalls({ kind: 'x', add: async (a: number, b: number) => a + b }, hook, { seam: 'math' })
    expect([await observed.add(1, 2), await observed.add(3, 4), observed.kind]).toEqual([3, 7, 'x'])
    expect(names()).toEqual(['math.add.before#1', 'math.add.after#1', 'math.add.before#2', 'math.add.after#2'])
    expect(points[2]?.arguments).toEqual([3, 4])
  })
  it('observes the objects inside, also when they are frozen or use private fields', async () => {
    class Runs {
      #taken = 0
      async take() {
        return ++this.#taken
      }
    }
    const { hook, names } = recorder()
    const observed = observeCalls(Object.freeze({ runs: new Runs(), nodes: Object.freeze({ list: () => Promise.resolve([1]) }) }), hook, {
      seam: 'store',
    })
    expect([await observed.runs.take(), await observed.runs.take(), await observed.nodes.list()]).toEqual([1, 2, [1]])
    expect(names().filter((name) => name.includes('before'))).toEqual([
      'store.runs.take.before#1',
      'store.runs.take.before#2',
      'store.nodes.list.before#1',
    ])
  })
  it('observes each next of an iterable, from a generator or from a declared method', async () => {
    const { hook, names } = recorder()
    const list = async function* () {
      yield 1
    }
    const observed = observeCalls({ workloads: list, list: () => list() }, hook, { seam: 's' })
    const seen: number[] = []
    for await (const value of observed.list()) seen.push(value)
    for await (const value of observed.workloads()) seen.push(value)
    expect(seen).toEqual([1, 1])
    expect(names().filter((name) => name.includes('before'))).toEqual(
      ['list', 'workloads'].flatMap((method) => [`s.${method}().next.before#1`, `s.${method}().next.before#2`]),
    )
  })
  it('observes what a call returns: reads, extents and dispose of a block source', async () => {
    const { hook, names } = recorder()
    const observed = observeCalls({ open: async () => memoryMappedBlocks(new Uint8Array(65536).fill(1)) }, hook, { seam: 'disk' })
    const blocks = await observed.open()
    const target = new Uint8Array(4)
    await blocks.readInto(target, 0, options)
    for await (const extent of blocks.extents(options)) expect(extent.kind).toBe('data')
    await blocks[Symbol.asyncDispose]()
    expect([...target, blocks.size]).toEqual([1, 1, 1, 1, 65536])
    const methods = ['open', 'open().readInto', 'open().extents().next', 'open().extents().next', 'open().dispose']
    expect(
      names()
        .filter((name) => name.includes('before'))
        .map((name) => name.replace(/\.before.*/, '')),
    ).toEqual(methods.map((method) => `disk.${method}`))
  })
  it('tells the hook of a rejection and rejects the same; a hook that throws before keeps the call from being made', async () => {
    const { hook, points } = recorder()
    const observed = observeCalls({ fail: async () => Promise.reject(new Error('broken')) }, hook, { seam: 's' })
    await expect(observed.fail()).rejects.toThrow('broken')
    expect(String(points[1]?.error)).toBe('Error: broken')
    let called = false
    const refuse = () => Promise.reject(new Error('refused'))
    const guarded = observeCalls(
      {
        act: async () => {
          called = true
        },
      },
      refuse,
      { seam: 's' },
    )
    await expect(guarded.act()).rejects.toThrow('refused')
    expect(called).toBe(false)
  })
  it('a hook that never resolves freezes the call, not the others', async () => {
    const observed = observeCalls(
      { act: async (value: number) => value },
      ({ count }) => (count === 1 ? new Promise<void>(() => {}) : undefined),
      { seam: 's' },
    )
    const frozen = observed.act(1)
    expect(await observed.act(2)).toBe(2)
    expect(await Promise.race([frozen, Promise.resolve('frozen')])).toBe('frozen')
  })
  it('leaves plain methods, buffers and spread copies usable', async () => {
    const { hook, names } = recorder()
    const target = {
      parseOptions: (_use: string, input: unknown) => input,
      read: async () => new Uint8Array([1]),
      [Symbol.asyncDispose]: async () => {},
    }
    const observed = observeCalls(target, hook, { seam: 's' })
    const copy = { ...observed }
    expect(copy.parseOptions('backup', 5)).toBe(5)
    expect(await copy.read()).toBeInstanceOf(Uint8Array)
    await copy[Symbol.asyncDispose]()
    expect('read' in observed).toBe(true)
    expect(names()).toEqual(['s.read.before#1', 's.read.after#1', 's.dispose.before#1', 's.dispose.after#1'])
  })
  it('observes what a provider gives to the sink: open, reads, chunks, dispose', async () => {
    for (const shape of providerShapes) {
      const { platform, workload } = platformWithWorkload(shape)
      const { hook, names } = recorder()
      const provider = observeProvider(scriptedProvider(platform, { shape }), hook)
      const { run, undoOpen } = memoryRunContext({ provider })
      const { sink, items } = collectingSink()
      await provider.backup({ workload, options: {} }, sink, run)
      await undoOpen({ committed: true })
      const methods = new Set(names().map((name) => name.replace(/\.(before|after)#.*/, '')))
      expect(items.length, shape).toBeGreaterThan(0)
      expect([...methods], shape).toEqual(expect.arrayContaining(['provider.backup', 'provider-item.open']))
      const reads = shape === 'ovirtLike' || shape === 'rawDisk' ? 'provider-item.open().readInto' : 'provider-item.open().next'
      expect(methods.has(reads), `${shape}: ${[...methods]}`).toBe(true)
    }
  })
})
