import { describe, expect, it } from 'vitest'
import { day, live, minute, type Node, options, site } from '../../../test/health-site.ts'

const check = async (node: Node) => (await node.health.status(true, options)).nodes[0]?.checks?.find(({ name }) => name === 'waiting')
const request = { operation: 'backup', delay: 0, priority: 0, maxFailures: 1, resources: [], input: null } as const
const lost = {
  ...request,
  key: 'nightly/old/shop/2026-11-20',
  planId: 'nightly',
  workload: 'old/shop',
  needs: ['provider:old', 'repository:main'],
}

describe('the check of what waits for a node that is not there', () => {
  it('is Warning when no node has what a run needs, and that is told once, whichever nodes see it', async () => {
    const given = site()
    const nodes = [await given.node('a'), await given.node('b')] as const
    await given.store.runs.create([lost, { ...request, key: 'fine', needs: ['provider:p'] }], options)
    await live(given, nodes, 10 * minute)
    expect(await check(nodes[0])).toBeUndefined()
    await live(given, nodes, 15 * minute)
    expect(await check(nodes[0])).toMatchObject({
      state: 'Warning',
      message: 'Run "nightly/old/shop/2026-11-20" has been waiting since 2026-11-20T00:00:00.000Z, because no node has provider "old".',
    })
    const told = (await given.news()).filter(({ type }) => type === 'schedule-missed')
    expect(told).toEqual([
      expect.objectContaining({ severity: 'warning', data: expect.objectContaining({ plan: 'nightly', workload: 'old/shop' }) }),
    ])
    const restarted = await given.node('a')
    await live(given, [restarted, nodes[1]], 30 * minute)
    expect((await given.types()).filter((type) => type === 'schedule-missed')).toEqual([])
    await given.store.runs.cancel((await given.store.runs.get(lost.key, options))?.id ?? '', 'gone', options)
    await live(given, nodes, minute)
    expect(await check(nodes[0])).toBeUndefined()
  })
  it('does not speak of what another node has', async () => {
    const given = site()
    const { p } = { p: (await given.node('x')).parts.providers.get('p') }
    const nodes = [await given.node('a'), await given.node('b', { providers: { old: p as never } })]
    await given.store.runs.create([lost], options)
    await live(given, nodes, 60 * minute)
    expect(await check(nodes[0] as Node)).toBeUndefined()
  })
  it('is Warning when no node takes a plan that is due, but not because a clock has jumped', async () => {
    const given = site()
    const a = await given.node('a')
    const due = given.clock.now() + 5 * minute
    await given.store.plans.put({ id: 'n', revision: 0, plan: {} }, [{ planId: 'n', schedule: 's', due }], options)
    given.clock.jump(day)
    await live(given, [a], 10 * minute)
    expect(await check(a)).toBeUndefined()
    await live(given, [a], 15 * minute)
    expect(await check(a)).toMatchObject({
      state: 'Warning',
      message: expect.stringContaining('Plan "n" has been due since 2026-11-20T00:05'),
    })
  })
})
