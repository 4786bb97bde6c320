import { countingIds, fakeClock, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../create-engine.ts'
import type { EngineOptions } from '../engine.ts'

function site() {
  const clock = fakeClock()
  const platform = memoryPlatform({ random: seededRandom(7) })
  const store = memoryStore({ clock, ids: countingIds('s') })
  const given = {
    name: 'a',
    store,
    repositories: { main: memoryRepository({ clock }) },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    clock,
    hostName: 'backup1',
  }
  return { clock, store, make: (more: Partial<EngineOptions> = {}) => createEngine({ ...given, ...more }) }
}

describe('engine.status', () => {
  it('is there as soon as the engine is started, with all that it was made of', async () => {
    const { clock, make } = site()
    const engine = await make()
    await clock.runUntil(engine.start())
    expect(await engine.status()).toMatchObject({ state: 'OK', nodes: [{ node: 'a', state: 'OK' }] })
    const { nodes } = await engine.status({ details: true })
    expect(nodes[0]?.hostName).toBe('backup1')
    expect(nodes[0]?.checks?.map(({ name }) => name)).toEqual(['store', 'repository main', 'provider p', 'undo', 'clock'])
    await clock.runUntil(engine.stop())
  })
  it('is Critical without any node', async () => {
    const { clock, make } = site()
    const engine = await make()
    expect(await engine.status()).toEqual({ state: 'Critical', nodes: [] })
    await clock.runUntil(engine.stop())
  })
  it('goes on every 30 seconds until the engine stops, and is Stale two minutes later for others', async () => {
    const { clock, make } = site()
    const engine = await make()
    await clock.runUntil(engine.start())
    await clock.advance(600_000)
    const history = await engine.nodeHistory('a', '2026-11-20T00:00:00Z')
    expect(history.length).toBe(21)
    expect(history[1]).toMatchObject({ at: '2026-11-20T00:00:30.000Z', state: 'OK' })
    await clock.runUntil(engine.stop())
    const other = await make({ name: 'b' })
    await clock.advance(120_000)
    expect((await other.status()).state).toBe('OK')
    await clock.advance(1)
    expect((await other.status()).nodes[0]).toMatchObject({ node: 'a', state: 'Stale' })
    await clock.runUntil(other.stop())
  })
  it('is given by the times that the options say', async () => {
    const { clock, make } = site()
    const engine = await make({ healthEveryMs: 1_000, nodeStaleMs: 5_000, nodeForgetMs: 60_000 })
    await clock.runUntil(engine.start())
    await clock.advance(10_000)
    expect((await engine.nodeHistory('a', '2026-11-20T00:00:00Z')).length).toBe(11)
    await clock.runUntil(engine.stop())
    const other = await make({ name: 'b', nodeStaleMs: 5_000, nodeForgetMs: 60_000 })
    await clock.advance(5_001)
    expect((await other.status()).nodes.map(({ state }) => state)).toEqual(['Stale'])
    await clock.advance(60_000)
    expect((await other.status()).nodes).toEqual([])
    await clock.runUntil(other.stop())
  })
  it('does not come from an engine that was stopped; nor does a history since no time', async () => {
    const { clock, make } = site()
    const engine = await make()
    await expect(engine.nodeHistory('a', 'yesterday')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await clock.runUntil(engine.stop())
    await expect(engine.status()).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    await expect(engine.nodeHistory('a', '2026-11-20T00:00:00Z')).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
  })
  it('is Error after a jump of the clock until confirmClock()', async () => {
    const { clock, make } = site()
    const engine = await make()
    await clock.runUntil(engine.start())
    clock.jump(86_400_000)
    await clock.advance(30_000)
    expect((await engine.status()).nodes[0]?.state).toBe('Error')
    engine.confirmClock()
    await clock.advance(30_000)
    expect((await engine.status()).nodes[0]?.state).toBe('OK')
    await clock.runUntil(engine.stop())
  })
})

describe('the options of health', () => {
  it('are refused when they are no durations above zero', async () => {
    const { make } = site()
    for (const name of ['healthEveryMs', 'nodeStaleMs', 'nodeForgetMs'])
      await expect(make({ [name]: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining(name) })
  })
})
