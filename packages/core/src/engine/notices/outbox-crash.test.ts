import { memoryNotifier } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { happen, idsOf, minute, node, second, waiting, world } from '../../../test/notifier/outbox-world.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Notifier } from '../../spec/notifier.ts'

describe('several nodes', () => {
  it('tell each event once together', async () => {
    const given = world()
    const mail = memoryNotifier()
    const [a, b] = [node(given, { mail }), node(given, { mail })]
    for (let index = 0; index < 20; index++) {
      await happen(given, `e${index}`)
      await Promise.all([given.clock.runUntil(a.deliver()), given.clock.runUntil(b.deliver())])
      await given.clock.advance(5 * second)
    }
    expect(idsOf(mail.received).sort()).toEqual(Array.from({ length: 20 }, (_, index) => `e${index}`).sort())
  })

  it('a node without notifiers leaves everything to the one that has them', async () => {
    const given = world()
    const mail = memoryNotifier()
    const [bare, a] = [node(given, {}), node(given, { mail })]
    await happen(given, 'e1')
    bare.work()
    await bare.once()
    await given.clock.advance(5 * second)
    await a.once()
    expect(idsOf(mail.received)).toEqual(['e1'])
  })

  it('what waits for a notifier that only one node has reaches it, although another node looks as often', async () => {
    const given = world()
    const [mail, chat] = [memoryNotifier(), memoryNotifier()]
    chat.refuse()
    const [a, b] = [node(given, { mail, other: memoryNotifier() }), node(given, { mail, chat })]
    await happen(given, 'e1')
    await b.once()
    chat.refuse(false)
    // The other one looks first each time, and both look every five seconds.
    for (let round = 0; round < 12 * 60 && chat.received.length === 0; round++) {
      await a.once()
      await given.clock.advance(second)
      await b.once()
      await given.clock.advance(4 * second)
    }
    expect(idsOf(chat.received)).toEqual(['e1'])
    expect(idsOf(mail.received)).toEqual(['e1'])
  })

  it('a slow notifier is not given what another node may take meanwhile', async () => {
    const given = world()
    const sends: string[] = []
    const slow: Notifier = {
      ...memoryNotifier(),
      async send({ id }, call) {
        sends.push(id)
        await given.clock.sleep(25 * second, call)
      },
    }
    const ids = ['e1', 'e2', 'e3', 'e4', 'e5']
    await happen(given, ...ids)
    const delivering = node(given, { slow }).deliver()
    const quick: Notifier = { ...slow, send: async ({ id }) => void sends.push(id) }
    const b = node(given, { slow: quick })
    for (let round = 0; round < 30; round++) {
      await given.clock.advance(5 * second)
      await b.deliver()
    }
    await delivering
    expect(sends.sort()).toEqual(ids)
  })
})

describe('a crash', () => {
  // Each call of the store may be the last one, before or after it took effect.
  const labels = ['outbox.take', 'outbox.add', 'outbox.done', 'plans.due'] as const
  for (const [label, moment] of labels.flatMap((each) => [[each, 'before'] as const, [each, 'after'] as const]))
    for (const nth of [1, 2, 3])
      it(`${moment} ${label} number ${nth} loses nothing and tells nobody more than twice`, async () => {
        let count = 0
        let armed = true
        const given = world((called, when) => {
          if (!armed || called !== label || when !== moment || ++count !== nth) return
          armed = false
          throw new Error('killed')
        })
        const [mail, chat] = [memoryNotifier(), memoryNotifier()]
        const rest = armed
        armed = false
        await happen(given, 'e1', 'e2')
        armed = rest
        const dying = node(given, { mail, chat })
        await given.clock.runUntil(dying.deliver()).catch(() => undefined)
        armed = false
        await given.clock.advance(2 * minute)
        await node(given, { mail, chat }).live(5 * minute)
        for (const { received } of [mail, chat]) {
          expect(new Set(idsOf(received))).toEqual(new Set(['e1', 'e2']))
          for (const id of ['e1', 'e2']) expect(idsOf(received).filter((each) => each === id).length).toBeLessThanOrEqual(2)
        }
        expect(waiting(given)).toEqual([])
      })

  it('a store that cannot note a delivery makes the same process send nothing twice', async () => {
    let failing = 3
    const given = world((label, moment) => {
      if (label === 'outbox.done' && moment === 'before' && failing-- > 0) throw new HoldfastError('STORE_BUSY', 'busy')
    })
    const mail = memoryNotifier()
    const a = node(given, { mail })
    await happen(given, 'e1')
    await a.live(10 * minute)
    expect(idsOf(mail.received)).toEqual(['e1'])
    expect(waiting(given)).toEqual([])
  })

  it('an end in the middle of a send is no failure of the notifier', async () => {
    const given = world()
    const hanging: Notifier = {
      ...memoryNotifier(),
      send: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }
    const a = node(given, { hanging })
    await happen(given, 'e1')
    const rejected = expect(a.deliver()).rejects.toThrow('killed')
    await given.clock.advance(second)
    a.die()
    await rejected
    expect([a.logger.lines, a.warnings]).toEqual([[], []])
    expect(given.clock.sleepers).toBe(0)
  })
})
