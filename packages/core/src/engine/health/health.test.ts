import { fakeClock, memoryNotifier, memoryRepository } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { day, live, minute, options, second, site, stateOf } from '../../../test/health-site.ts'
import type { Repository } from '../../spec/repository.ts'
import { requireOwnership } from '../points/ownership.ts'

describe('the report of a node', () => {
  it('says what was checked, with host name and version', async () => {
    const { node, repository } = site()
    const a = await node('a', { hostName: 'backup1', notifiers: { mail: memoryNotifier() } })
    await requireOwnership(a.parts, 'main', options)
    await a.run()
    const status = await a.health.status(true, options)
    expect(status.state).toBe('OK')
    expect(status.nodes[0]).toMatchObject({ node: 'a', state: 'OK', reported: 'OK', hostName: 'backup1', version: '0.0.0', ageMs: 0 })
    const [found] = await repository.check(options)
    expect(status.nodes[0]?.checks).toEqual([
      { name: 'store', state: 'OK', message: 'It answers.', durationMs: 0 },
      { name: 'repository main', state: 'OK', message: expect.stringContaining(found?.message ?? '-'), durationMs: 0 },
      { name: 'provider p', state: 'OK', message: 'Engine 1.2 answers.', durationMs: 0 },
      { name: 'undo', state: 'OK', message: 'Nothing is left to undo.', durationMs: 0 },
      { name: 'clock', state: 'OK', message: 'It goes on evenly.', durationMs: 0 },
      { name: 'notifier mail', state: 'OK', message: 'Nothing waits to be delivered after a failure.', durationMs: 0 },
    ])
  })
  it('has no host name, no checks and no messages without details', async () => {
    const { node } = site()
    const a = await node('a', { hostName: 'backup1' })
    await a.run()
    const status = await a.health.status(false, options)
    expect(Object.keys(status.nodes[0] ?? {}).sort()).toEqual(['ageMs', 'lastReport', 'node', 'state', 'version'])
  })
  it('is as bad as the worst check', async () => {
    const { node, findings } = site()
    const a = await node('a')
    findings.push({ name: 'free-space', status: 'warning', message: '3 GiB of 1 TiB are free.' })
    await a.run()
    expect(await a.health.status(true, options)).toMatchObject({ state: 'Warning', nodes: [{ state: 'Warning' }] })
    findings.push({ name: 'connection', status: 'error', message: 'It refuses the password.' })
    await a.run()
    const { state, nodes } = await a.health.status(true, options)
    expect([state, nodes[0]?.state]).toEqual(['Critical', 'Error'])
    expect(nodes[0]?.checks?.find(({ name }) => name === 'provider p')).toMatchObject({
      state: 'Error',
      message: '3 GiB of 1 TiB are free.; It refuses the password.',
    })
  })
  it('comes in time although a repository never answers, and says so', async () => {
    const { clock, node, repository, store } = site()
    const hanging: Repository = { ...repository, check: () => new Promise(() => {}) }
    const a = await node('a', { repositories: { main: hanging, other: memoryRepository({ clock }) } })
    const before = clock.monotonic()
    await a.run()
    expect(clock.monotonic() - before).toBe(10 * second)
    const [report] = await store.nodes.list(options)
    const checks = report?.checks as readonly { readonly name: string; readonly state: string; readonly message: string }[]
    expect(report?.state).toBe('Error')
    expect(checks.filter(({ state }) => state === 'Error').map(({ name }) => name)).toEqual(['repository main'])
    await clock.advance(20 * second)
    await a.run()
    const again = (await a.health.status(true, options)).nodes[0]?.checks?.[1]
    expect(again).toMatchObject({ state: 'Error', message: 'There has been no answer for 30 s.' })
  })
  it('is waited for by whoever asks while the first one is being made', async () => {
    const { node } = site()
    const a = await node('a')
    const running = a.health.run(options)
    expect((await a.health.status(false, options)).nodes.map(({ state }) => state)).toEqual(['OK'])
    await running
  })
  it('rejects when the store cannot be written, and the next round tells the same', async () => {
    const given = site()
    const { store, findings, types } = given
    const a = await given.node('a')
    await a.run()
    findings[0] = { name: 'connection', status: 'error', message: 'gone' }
    let broken = true
    const failing = {
      ...store,
      nodes: {
        ...store.nodes,
        report: (...args: Parameters<typeof store.nodes.report>) =>
          broken ? Promise.reject(new Error('no disk')) : store.nodes.report(...args),
      },
    }
    const b = await given.node('a', { store: failing })
    await expect(b.run()).rejects.toThrow('no disk')
    broken = false
    await b.run()
    expect(await types()).toEqual(['node-error'])
  })
})

describe('the clock', () => {
  it('that jumps makes the node Error, is told once, and is well again when a person confirms it', async () => {
    const given = site()
    const a = await given.node('a')
    await live(given, [a], minute)
    given.clock.jump(day)
    await live(given, [a], 5 * minute)
    const status = await a.health.status(true, options)
    const check = status.nodes[0]?.checks?.find(({ name }) => name === 'clock')
    expect(check).toMatchObject({
      state: 'Error',
      message: expect.stringMatching(/^The clock of this host has jumped by \+1 d\. .*confirmClock/),
    })
    const news = await given.news()
    expect(news.map(({ type }) => type)).toEqual(['node-error'])
    expect(news[0]?.text).toContain('Node "a" has an error: clock: The clock of this host has jumped by +1 d.')
    a.parts.clockWatch.confirm()
    await live(given, [a], minute)
    expect(await stateOf(a)).toBe('OK')
    expect(await given.types()).toEqual(['node-recovered'])
  })
  for (const jump of [day, -day, 3 * minute, -3 * minute])
    it(`that jumps by ${jump / minute} minutes lets nobody be called silent`, async () => {
      const given = site()
      const nodes = [await given.node('a'), await given.node('b')]
      await live(given, nodes, 5 * minute)
      given.clock.jump(jump)
      await live(given, nodes, 5 * minute)
      expect((await given.types()).filter((type) => type !== 'node-error')).toEqual([])
    })
})

describe('a node that falls silent', () => {
  it('is Stale after the limit, told once whoever sees it, and once more when it is back', async () => {
    const given = site()
    const [a, b, c] = [await given.node('a'), await given.node('b'), await given.node('c')]
    await live(given, [a, b, c], 2 * minute)
    expect(await given.types()).toEqual([])
    await live(given, [a, b], 2 * minute)
    expect(await stateOf(a)).toBe('OK')
    expect(await given.types()).toEqual([])
    await live(given, [a, b], 30 * minute)
    expect(await stateOf(a)).toBe('Degraded')
    const gone = await given.news()
    expect(gone.map(({ type, severity }) => [type, severity])).toEqual([['node-stale', 'error']])
    expect(gone[0]?.text).toMatch(/^Node "c" has been silent since 2026-11-20T00:02:00\.000Z \(2 min 30 s\)\./)
    const again = await given.node('c')
    await live(given, [a, b, again], 10 * minute)
    expect(await stateOf(a)).toBe('OK')
    const back = await given.news()
    expect(back.map(({ type, severity }) => [type, severity])).toEqual([['node-back', 'info']])
    expect(back[0]?.text).toMatch(
      /^Node "c" is back\. It was silent from 2026-11-20T00:02:00\.000Z to 2026-11-20T00:34:30\.000Z \(32 min 30 s\)\./,
    )
  })
  it('is told of by those who missed it when it does not know itself that it was gone', async () => {
    const given = site()
    // Its machine is suspended: for its own clock no time passes.
    const suspended = fakeClock()
    const [a, b] = [await given.node('a'), await given.node('b', { clock: suspended })]
    await b.health.run(options)
    await live(given, [a], 10 * minute)
    expect(await given.types()).toEqual(['node-stale'])
    await b.health.run(options)
    expect(await given.types()).toEqual(['node-error'])
    await live(given, [a], minute)
    expect(await given.types()).toEqual(['node-back'])
  })
  it('is told of again the next time', async () => {
    const given = site()
    const [a, b] = [await given.node('a'), await given.node('b')]
    for (let round = 0; round < 3; round++) {
      await live(given, [a, b], minute)
      await live(given, [a], 5 * minute)
    }
    expect(await given.types()).toEqual(['node-stale', 'node-back', 'node-stale', 'node-back', 'node-stale'])
  })
  it('tells it itself when it was the only one', async () => {
    const given = site()
    await live(given, [await given.node('a')], minute)
    await given.clock.advance(10 * day)
    const again = await given.node('a')
    await again.run()
    const news = await given.news()
    expect(news.map(({ type }) => type)).toEqual(['node-back'])
    expect(news[0]?.text).toContain('from 2026-11-20T00:01:00.000Z to 2026-11-30T00:01:00.000Z (10 d)')
  })
  it('and comes back does not call those silent that were cut off with it', async () => {
    const given = site()
    const nodes = [await given.node('a'), await given.node('b')]
    await live(given, nodes, minute)
    await given.clock.advance(60 * minute)
    await live(given, nodes, 5 * minute)
    expect((await given.types()).sort()).toEqual(['node-back', 'node-back'])
  })
  it('is told of by a node that starts while it is silent, after a while', async () => {
    const given = site()
    await live(given, [await given.node('b')], minute)
    await given.clock.advance(60 * minute)
    const a = await given.node('a')
    await a.run()
    expect(await given.types()).toEqual([])
    await live(given, [a], minute)
    expect(await given.types()).toEqual(['node-stale'])
  })
  it('is not shown any more after nodeForgetMs', async () => {
    const given = site()
    const a = await given.node('a', { nodeForgetMs: day })
    await live(given, [a, await given.node('b')], minute)
    const names = async () => (await a.health.status(false, options)).nodes.map(({ node, state }) => `${node} ${state}`)
    await given.clock.advance(day - minute)
    await a.run()
    expect(await names()).toEqual(['a OK', 'b Stale'])
    await live(given, [a], 2 * minute)
    expect(await names()).toEqual(['a OK'])
    expect(await stateOf(a)).toBe('OK')
  })
})

describe('a node that turns Error', () => {
  it('is told once while it lasts, and once more when it is over', async () => {
    const given = site()
    const [a, b] = [await given.node('a', { providers: { p: given.provider } }), await given.node('b', { providers: {} })]
    await live(given, [a, b], minute)
    given.findings[0] = { name: 'connection', status: 'error', message: 'It refuses the password.' }
    await live(given, [a, b], 5 * minute)
    const news = await given.news()
    expect(news).toMatchObject([
      { type: 'node-error', severity: 'error', text: 'Node "a" has an error: provider p: It refuses the password.' },
    ])
    given.findings[0] = { name: 'connection', status: 'ok', message: 'fine' }
    await live(given, [a, b], 5 * minute)
    expect(await given.news()).toMatchObject([{ type: 'node-recovered', text: 'Node "a" has no error any more; it is OK.' }])
  })
  it('is told in its very first report, and not again by the next process', async () => {
    const given = site()
    given.findings[0] = { name: 'connection', status: 'error', message: 'gone' }
    await (await given.node('a')).run()
    await (await given.node('a')).run()
    expect(await given.types()).toEqual(['node-error'])
  })
})

describe('the history of a node', () => {
  it('has what it reported and where it was silent, since a time', async () => {
    const given = site()
    const a = await given.node('a')
    await live(given, [a], minute)
    await given.clock.advance(10 * minute)
    await a.run()
    const since = given.clock.now() - 11 * minute
    const history = await a.health.history('a', since, options)
    expect(history.map(({ at, state }) => [at.slice(11, 19), state])).toEqual([
      ['00:00:30', 'OK'],
      ['00:01:00', 'OK'],
      ['00:03:00', 'Stale'],
      ['00:11:00', 'OK'],
    ])
    expect((await a.health.history('a', given.clock.now(), options)).length).toBe(1)
    expect(await a.health.history('nobody', 0, options)).toEqual([])
  })
})
