import { fakeClock, memoryNotifier } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import type { Notification, Notifier } from '../../spec/notifier.ts'
import { watchNotifier } from './notifier-watch.ts'

const options = { signal: new AbortController().signal }
const notification: Notification = { id: 'x', at: '2026-11-20T00:00:00.000Z', severity: 'info', type: 't', text: '', data: null }

/** With private fields, as people write plug-ins: each method must be called on the object itself. */
class Picky implements Notifier {
  readonly specVersion = 1
  readonly kind = 'picky'
  readonly #done: string[] = []
  get done(): readonly string[] {
    return this.#done
  }
  wants({ severity }: Notification): boolean {
    this.#done.push('asked')
    return severity === 'error'
  }
  async send(): Promise<void> {
    this.#done.push('sent')
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#done.push('disposed')
  }
}

describe('a watched notifier', () => {
  it('is the notifier itself in all but its memory', async () => {
    const picky = new Picky()
    const watched = watchNotifier(picky, fakeClock())
    expect([watched.specVersion, watched.kind]).toEqual([1, 'picky'])
    expect([watched.wants?.(notification), watched.wants?.({ ...notification, severity: 'error' })]).toEqual([false, true])
    await watched.send(notification, options)
    await watched[Symbol.asyncDispose]()
    expect(picky.done).toEqual(['asked', 'asked', 'sent', 'disposed'])
    const { wants: _wants, ...hearsAll } = memoryNotifier()
    expect(watchNotifier(hearsAll, fakeClock()).wants?.(notification)).toBe(true)
  })
  it('passes a failure on, counts it, and forgets it after a delivery', async () => {
    const clock = fakeClock()
    const mail = memoryNotifier()
    const watched = watchNotifier(mail, clock)
    expect(watched.trouble(0)).toBeUndefined()
    mail.refuse()
    for (const failures of [1, 2, 3]) {
      await expect(watched.send(notification, options)).rejects.toThrow('the receiver refuses it')
      await clock.advance(1_000)
      expect(watched.trouble(60_000)).toMatchObject({ failures, forMs: failures * 1_000, message: expect.stringContaining('refuses') })
    }
    mail.refuse(false)
    await watched.send(notification, options)
    expect(watched.trouble(0)).toBeUndefined()
  })
})
