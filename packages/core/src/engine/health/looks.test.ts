import { countingIds, memoryNotifier, memoryStore } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { day, minute, type Node, options, type Site, site } from '../../../test/health-site.ts'
import type { Repository } from '../../spec/repository.ts'
import { requireOwnership } from '../points/ownership.ts'

describe('the check of a repository', () => {
  const check = async (node: Node) =>
    (await node.health.status(true, options)).nodes[0]?.checks?.find(({ name }) => name === 'repository main')

  it('is Warning when it belongs to another catalog', async () => {
    const { clock, node, repository } = site()
    const elsewhere = memoryStore({ clock, ids: countingIds('other') })
    const other = await node('other', { store: elsewhere })
    await requireOwnership({ ...other.parts, identity: () => ({ storeId: 'another-store', epoch: 1 }) }, 'main', options)
    const a = await node('a', { repositories: { main: repository } })
    await a.run()
    expect(await check(a)).toMatchObject({ state: 'Warning', message: expect.stringContaining('another catalog, another-store') })
  })
  it('is Error when its repository.json does not verify', async () => {
    const { node, repository } = site()
    const a = await node('a')
    await requireOwnership(a.parts, 'main', options)
    const damaged: Repository = {
      ...repository,
      open: async (path, call) => {
        const file = await repository.open(path, call)
        return { ...file, size: 3, stream: (_range, inner) => file.stream({ start: 0, end: 3 }, inner) }
      },
    }
    const b = await node('a', { repositories: { main: damaged } })
    await b.run()
    expect((await check(b))?.state).toBe('Error')
  })
  it('is OK when nothing was stored in it yet', async () => {
    const { node } = site()
    const a = await node('a')
    await a.run()
    expect(await check(a)).toMatchObject({ state: 'OK', message: expect.stringContaining('Nothing was stored here yet') })
  })
})

describe('the check of notifiers', () => {
  const notification = { id: 'x', at: '', severity: 'info', type: 't', text: '', data: null } as const
  it('is Warning while deliveries fail, never Error, and OK after the next that is made', async () => {
    const { clock, node } = site()
    const mail = memoryNotifier()
    const a = await node('a', { notifiers: { mail } })
    const check = async () => {
      await a.run()
      return (await a.health.status(true, options)).nodes[0]?.checks?.find(({ name }) => name === 'notifier mail')
    }
    mail.refuse()
    const watched = a.parts.notifiers.get('mail')
    await expect(watched?.send(notification, options)).rejects.toThrow()
    await clock.advance(5 * minute)
    await expect(watched?.send(notification, options)).rejects.toThrow()
    expect(await check()).toMatchObject({
      state: 'Warning',
      message: expect.stringMatching(/^Nothing could be delivered for 5 min \(2 tries\): /),
    })
    mail.refuse(false)
    await watched?.send(notification, options)
    expect(await check()).toMatchObject({ state: 'OK' })
  })
  it('is Warning when a delivery never ends', async () => {
    const { clock, node } = site()
    const mail = { ...memoryNotifier(), send: () => new Promise<void>(() => {}) }
    const a = await node('a', { notifiers: { mail } })
    void a.parts.notifiers.get('mail')?.send(notification, options)
    await clock.advance(3 * minute)
    await a.run()
    const checks = (await a.health.status(true, options)).nodes[0]?.checks
    expect(checks?.find(({ name }) => name === 'notifier mail')).toMatchObject({
      state: 'Warning',
      message: 'A delivery has been going on for 3 min.',
    })
  })
})

describe('the check of undos', () => {
  async function leftOver({ store }: Site) {
    const request = { operation: 'backup', delay: 0, priority: 0, maxFailures: 1, needs: [], resources: [], input: null } as const
    await store.runs.create([{ ...request, key: 'k' }], options)
    const [run] = await store.runs.take({ id: 'w', offers: [] }, 30_000, 1, options)
    const lease = { runId: run?.id ?? '', attempt: 1 }
    const intent = { id: 'i', attempt: 1, provider: 'p', kind: 'snapshot', data: null, kept: false } as const
    await store.runs.finish(lease, { state: 'failed', error: null }, [intent], [], options)
    return () => store.runs.undone(lease.runId, ['i'], options)
  }
  const check = async (node: Node) => {
    await node.run()
    return (await node.health.status(true, options)).nodes[0]?.checks?.find(({ name }) => name === 'undo')
  }
  it('is OK while something is being undone, and Warning when that takes longer than a clean-up may', async () => {
    const given = site()
    const a = await given.node('a', { cleanUpMs: 10 * minute })
    const undo = await leftOver(given)
    expect(await check(a)).toMatchObject({ state: 'OK', message: '1 thing is still to undo, for 0 ms.' })
    await given.clock.advance(11 * minute)
    expect(await check(a)).toMatchObject({ state: 'Warning', message: '1 thing is still to undo, for 11 min.' })
    await undo()
    expect(await check(a)).toMatchObject({ state: 'OK', message: 'Nothing is left to undo.' })
  })
  it('is Warning at once when undoing fails here, with the reason', async () => {
    const given = site()
    const a = await given.node('a')
    await leftOver(given)
    a.parts.events.emit('undo-failed', { provider: 'p', kind: 'snapshot', error: new Error('the host is off') })
    expect(await check(a)).toMatchObject({ state: 'Warning', message: expect.stringMatching(/"snapshot" on p: the host is off$/) })
    await given.clock.advance(3 * minute)
    expect(await check(a)).toMatchObject({ state: 'OK' })
  })
  it('does not speak of what another node has to undo', async () => {
    const given = site()
    const a = await given.node('a', { providers: {}, cleanUpMs: minute })
    await leftOver(given)
    await given.clock.advance(day)
    expect(await check(a)).toMatchObject({ state: 'OK' })
  })
})
