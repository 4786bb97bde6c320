import { memoryNotifier } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import {
  day,
  failingWith,
  happen,
  hour,
  idsOf,
  minute,
  node,
  options,
  second,
  unreachable,
  waiting,
  world,
} from '../../../test/notifier/outbox-world.ts'
import { filteredNotifier } from '../../notifier/filtered-notifier.ts'
import { HoldfastError } from '../../spec/errors.ts'
import type { Notifier } from '../../spec/notifier.ts'
import { outboxEvent } from './notices.ts'

describe('delivery', () => {
  it('tells each notifier each event once, as it was when it happened', async () => {
    const given = world()
    const [mail, chat] = [memoryNotifier(), memoryNotifier()]
    const a = node(given, { mail, chat })
    await happen(given, 'r1/1/run-failed')
    const at = new Date(given.clock.now()).toISOString()
    await given.clock.advance(3 * hour)
    await a.live(hour)
    for (const { received } of [mail, chat])
      expect(received).toEqual([
        { id: 'r1/1/run-failed', at, severity: 'error', type: 'run-failed', text: 'text of r1/1/run-failed', data: { plan: 'nightly' } },
      ])
    expect(waiting(given)).toEqual([])
    expect(a.logger.lines).toEqual([])
  })

  it('goes on for the others while one is down for an hour, and that one then hears everything once', async () => {
    const given = world()
    const [mail, chat] = [memoryNotifier(), memoryNotifier()]
    const a = node(given, { mail, chat })
    chat.refuse()
    const ids = Array.from({ length: 60 }, (_, index) => `e${index}`)
    for (const id of ids) {
      await happen(given, id)
      await a.live(minute)
      expect(idsOf(mail.received).at(-1), 'the mail comes at once').toBe(id)
    }
    expect(chat.received).toEqual([])
    chat.refuse(false)
    await a.live(20 * minute)
    expect(idsOf(mail.received)).toEqual(ids)
    expect(idsOf(chat.received).sort()).toEqual([...ids].sort())
    expect(waiting(given)).toEqual([])
  })

  it('tells of an outage once, and of its end', async () => {
    const given = world()
    const chat = memoryNotifier()
    const a = node(given, { chat })
    chat.refuse()
    for (let index = 0; index < 30; index++) {
      await happen(given, `e${index}`)
      await a.live(minute)
    }
    expect(a.warnings.map(({ code }) => code)).toEqual(['NOTIFIER_FAILED'])
    chat.refuse(false)
    await a.live(20 * minute)
    expect(a.logger.lines.at(-1)).toMatchObject({ level: 'info', message: 'Notifier "chat" works again.' })
  })

  it('asks a notifier that fails seldom and seldomer, however much waits for it', async () => {
    const given = world()
    const { notifier, tries } = failingWith(unreachable)
    const a = node(given, { dead: notifier })
    await happen(given, ...Array.from({ length: 250 }, (_, index) => `e${index}`))
    await a.live(hour)
    // After 1, 2, 4, 8, 15, 15 ... minutes, each up to some more.
    expect(tries.length).toBeGreaterThanOrEqual(5)
    expect(tries.length).toBeLessThanOrEqual(8)
    await a.live(day, minute)
    expect(tries.length).toBeLessThanOrEqual(8 + 24 * 4)
    expect(tries.length).toBeGreaterThanOrEqual(24 * 2)
  })

  it('does not look at all that waits for a notifier that is down each time', async () => {
    const given = world()
    const { notifier } = failingWith(unreachable)
    const a = node(given, { dead: notifier })
    await happen(given, ...Array.from({ length: 1000 }, (_, index) => `e${index}`))
    await a.live(30 * minute)
    given.calls.length = 0
    await a.live(hour, minute)
    // 60 looks, and ten more for everything a few times an hour.
    expect(given.calls.filter((label) => label === 'outbox.take').length).toBeLessThanOrEqual(200)
  })

  it('costs one deadline a pause when a notifier hangs, and the others wait for no more than that', async () => {
    const given = world()
    const mail = memoryNotifier()
    let sends = 0
    const hanging: Notifier = {
      ...memoryNotifier(),
      send: () => {
        sends++
        return new Promise(() => {})
      },
    }
    const a = node(given, { hanging, mail })
    await happen(given, 'e1', 'e2', 'e3')
    const before = given.clock.monotonic()
    await a.once()
    expect(given.clock.monotonic() - before).toBe(30 * second)
    expect(sends).toBe(1)
    expect(idsOf(mail.received)).toEqual(['e1', 'e2', 'e3'])
  })

  it('gives a receiver the pause that it asks for, up to 15 minutes', async () => {
    for (const [asked, least, most] of [
      [5 * minute, 5 * minute, 7 * minute],
      [30 * day, 15 * minute, 17 * minute],
    ] as const) {
      const given = world()
      const times: number[] = []
      const notifier: Notifier = {
        ...memoryNotifier(),
        async send() {
          times.push(given.clock.monotonic())
          throw new HoldfastError('NOTIFIER_FAILED', 'busy', { retryable: true, details: { retryAfterMs: asked } })
        },
      }
      await happen(given, 'e1')
      await node(given, { notifier }).live(20 * minute)
      const pause = (times[1] ?? 0) - (times[0] ?? 0)
      expect(pause).toBeGreaterThanOrEqual(least)
      expect(pause).toBeLessThanOrEqual(most)
    }
  })

  it('lets one that is refused for good hold up no other, and tries it again later', async () => {
    const given = world()
    const taken: string[] = []
    let refused = 0
    let mended = false
    const picky: Notifier = {
      ...memoryNotifier(),
      async send({ id }) {
        if (id === 'bad' && !mended) {
          refused++
          throw new HoldfastError('NOTIFIER_FAILED', 'too long', { retryable: false })
        }
        taken.push(id)
      },
    }
    const a = node(given, { picky })
    await happen(given, 'bad', 'good1', 'good2')
    await a.live(10 * minute)
    expect(taken).toEqual(['good1', 'good2'])
    await a.live(5 * hour)
    expect(refused).toBeGreaterThanOrEqual(4)
    expect(refused).toBeLessThanOrEqual(6)
    mended = true
    await a.live(2 * hour)
    expect(taken).toEqual(['good1', 'good2', 'bad'])
    expect(waiting(given)).toEqual([])
  })
})

describe('what nobody takes', () => {
  it('is given up after 7 days, with a line and a warning that name it; what is younger stays', async () => {
    const given = world()
    const { notifier } = failingWith(unreachable)
    const a = node(given, { dead: notifier })
    await happen(given, 'old1', 'old2')
    await a.live(6 * day, minute)
    await happen(given, 'young')
    expect(waiting(given).length).toBe(3)
    await a.live(day + hour, minute)
    expect(waiting(given)).toEqual(['young'])
    const lines = a.logger.lines.filter(({ level }) => level === 'error')
    expect(lines.map(({ fields }) => fields.id)).toEqual(['old1', 'old2'])
    expect(a.warnings.filter(({ code }) => code === 'NOTIFICATION_DROPPED').map(({ message }) => message)).toEqual([
      '2 notifications could not be delivered for 7 d: given up, first old1.',
    ])
  })

  it('does not grow for ever: with one event an hour and a dead notifier, no more than 7 days of them wait', async () => {
    const given = world()
    const mail = memoryNotifier()
    const a = node(given, { dead: failingWith(unreachable).notifier, mail })
    let most = 0
    for (let index = 0; index < 9 * 24; index++) {
      await happen(given, `e${index}`)
      await a.live(hour, 20 * minute)
      if (index % 24 === 0) most = Math.max(most, waiting(given).length)
    }
    expect(most).toBeLessThanOrEqual(7 * 24 + 2)
    expect(most).toBeGreaterThan(6 * 24)
    expect(mail.received.length).toBe(9 * 24)
  })

  it('is delivered all the same if it can be: a node that was off for a month tells what waited', async () => {
    const given = world()
    await happen(given, 'e1')
    await given.clock.advance(30 * day)
    const mail = memoryNotifier()
    await node(given, { mail }).once()
    expect(idsOf(mail.received)).toEqual(['e1'])
  })

  it('goes after 7 days where no notifier was ever given, without a warning', async () => {
    const given = world()
    const a = node(given, {})
    await happen(given, 'e1')
    a.work()
    await a.live(3 * day, minute)
    await happen(given, 'e2')
    expect(waiting(given)).toEqual(['e1', 'e2'])
    a.work()
    await a.live(3 * day, minute)
    await happen(given, 'e3')
    a.work()
    await a.live(day + 2 * hour, minute)
    expect(waiting(given)).toEqual(['e1', 'e2', 'e3'])
    a.work()
    await a.once()
    expect(waiting(given)).toEqual(['e2', 'e3'])
    expect(a.warnings).toEqual([])
  })

  it('of more than one look can hold goes too', async () => {
    const given = world()
    await happen(given, ...Array.from({ length: 250 }, (_, index) => `e${index}`))
    await given.clock.advance(8 * day)
    const a = node(given, {})
    a.work()
    await a.once()
    expect(waiting(given)).toEqual([])
  })

  it('is not even looked at by a process without notifiers that runs nothing', async () => {
    const given = world()
    await happen(given, 'e1')
    given.calls.length = 0
    await node(given, {}).live(day, minute)
    expect(given.calls).toEqual([])
  })
})

describe('a filter', () => {
  it('keeps what it does not want out of the outbox, also while its notifier is down', async () => {
    const given = world()
    const { notifier, tries } = failingWith(unreachable)
    const mail = memoryNotifier()
    const a = node(given, { mail, pager: filteredNotifier(notifier, { atLeast: 'error' }) })
    const info = (id: string) => outboxEvent(id, { type: 'run-succeeded', at: given.clock.now(), text: id, data: {} })
    for (let index = 0; index < 60; index++) {
      await given.store.outbox.add([info(`i${index}`)], options)
      await a.live(minute)
    }
    expect([tries, waiting(given)]).toEqual([[], []])
    await happen(given, 'e1')
    for (let index = 0; index < 60; index++) {
      await given.store.outbox.add([info(`j${index}`)], options)
      await a.live(minute)
    }
    // What passes nobody by does not count as a success: the pauses of the notifier that is down grow on.
    expect(tries.length).toBeLessThanOrEqual(8)
    expect(waiting(given)).toEqual(['e1@pager'])
    expect(mail.received.length).toBe(121)
  })

  it('that throws lets pass', async () => {
    const given = world()
    const mail = memoryNotifier()
    const wants = () => {
      throw new Error('filter')
    }
    await happen(given, 'e1')
    await node(given, { mail: { ...mail, wants } }).once()
    expect(idsOf(mail.received)).toEqual(['e1'])
  })
})

it('an event without a time gets the time at which it was first seen, and goes like the others', async () => {
  const given = world()
  const chat = memoryNotifier()
  chat.refuse()
  const a = node(given, { chat })
  const at = new Date(given.clock.now()).toISOString()
  await given.store.outbox.add([{ id: 'e1', event: { type: 't', severity: 'error', text: 'x' } }], options)
  await a.live(hour)
  chat.refuse(false)
  await a.live(hour)
  expect(chat.received).toEqual([{ id: 'e1', at, severity: 'error', type: 't', text: 'x', data: null }])
})
