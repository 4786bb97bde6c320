import assert from 'node:assert/strict'
import type { Scheduler } from '@holdfast/core/spec'
import type { ContractRunner } from '../contract-runner.ts'

/** A fresh scheduler and the clock that it runs on. */
export interface SchedulerHandle {
  readonly scheduler: Scheduler
  /** The scheduler's wall clock, milliseconds UTC. */
  now(): number
  /** Moves the scheduler's clock on and lets what is due happen. A scheduler without an injected clock waits really. */
  advance(milliseconds: number): Promise<void>
  /** Cleans up; called once after each test. */
  dispose(): Promise<void>
}

/** What {@link schedulerContract} needs: a test runner, and schedulers with a clock that can be moved. */
export interface SchedulerContractOptions extends ContractRunner {
  /** Called once per test. */
  create(): Promise<SchedulerHandle>
  /** Milliseconds that a wake may be late. Default 200. */
  readonly lateMs?: number
}

const longPollMs = 600_000

/** A scheduler that was started, and how often it has woken. */
interface Started extends SchedulerHandle {
  readonly wakes: () => number
  readonly abort: () => void
  readonly options: { readonly signal: AbortSignal }
}

/** The tests that every {@link Scheduler} passes. Doubled wakes are allowed everywhere; lost ones only to the next poll. */
export function schedulerContract({ describe, it, create, lateMs = 200 }: SchedulerContractOptions): void {
  const started = (name: string, pollMs: number, body: (handle: Started) => Promise<void>, onWake: () => void = () => {}): void =>
    it(name, async () => {
      const handle = await create()
      const controller = new AbortController()
      let wakes = 0
      const wake = (): void => {
        wakes += 1
        onWake()
      }
      try {
        await handle.scheduler.start(wake, { signal: controller.signal, pollMs })
        const options = { signal: new AbortController().signal }
        await body({ ...handle, wakes: () => wakes, abort: () => controller.abort(), options })
        await handle.scheduler.stop()
      } finally {
        await handle.dispose()
      }
    })
  const inFuture = ({ now }: SchedulerHandle, milliseconds: number): string => new Date(now() + milliseconds).toISOString()
  const failing = (): void => {
    throw new Error('this wake fails')
  }

  describe('scheduler: wakes', () => {
    started('wakes once per poll interval without being told', 1000, async ({ advance, wakes }) => {
      for (let count = 1; count <= 3; count++) {
        await advance(1000 + lateMs)
        assert.ok(wakes() >= count, `${wakes()} wakes after ${count} intervals`)
      }
    })
    started('wakes soon after notify without a time', longPollMs, async ({ scheduler, advance, wakes, options }) => {
      await scheduler.notify(undefined, options)
      await advance(lateMs)
      assert.ok(wakes() >= 1)
    })
    started('wakes at a notified time', longPollMs, async (handle) => {
      await handle.scheduler.notify(inFuture(handle, 2000), handle.options)
      await handle.advance(1000)
      const early = handle.wakes()
      await handle.advance(1000 + lateMs)
      assert.ok(handle.wakes() > early)
    })
    started('wakes at each of several notified times, given in any order', longPollMs, async (handle) => {
      for (const offset of [5000, 1000, 3000]) await handle.scheduler.notify(inFuture(handle, offset), handle.options)
      for (const step of [1000 + lateMs, 2000, 2000]) {
        const before = handle.wakes()
        await handle.advance(step)
        assert.ok(handle.wakes() > before, `no wake within ${step} ms`)
      }
    })
    started('wakes soon for a time that has passed', longPollMs, async (handle) => {
      await handle.scheduler.notify(inFuture(handle, -60_000), handle.options)
      await handle.advance(lateMs)
      assert.ok(handle.wakes() >= 1)
    })
    started('polls although it is told of later times again and again', 1000, async (handle) => {
      for (let count = 0; count < 4; count++) {
        await handle.scheduler.notify(inFuture(handle, longPollMs), handle.options)
        await handle.advance(400)
      }
      await handle.advance(lateMs)
      assert.ok(handle.wakes() >= 1)
    })
    started(
      'goes on after a wake that throws',
      1000,
      async ({ advance, wakes }) => {
        await advance(1000 + lateMs)
        const before = wakes()
        assert.ok(before >= 1)
        await advance(1000 + lateMs)
        assert.ok(wakes() > before)
      },
      failing,
    )
  })

  describe('scheduler: stops', () => {
    const silent = async ({ advance, wakes }: Started): Promise<void> => {
      const before = wakes()
      await advance(5000)
      assert.equal(wakes(), before)
    }
    started('is silent after stop, also about notified times', 1000, async (handle) => {
      await handle.scheduler.notify(inFuture(handle, 1500), handle.options)
      await handle.advance(1000 + lateMs)
      await handle.scheduler.stop()
      await silent(handle)
    })
    started('is silent after the signal of start aborts', 1000, async (handle) => {
      await handle.advance(1000 + lateMs)
      handle.abort()
      await silent(handle)
    })
    started('is silent after dispose, which may follow stop', 1000, async (handle) => {
      await handle.scheduler.stop()
      await handle.scheduler.stop()
      await handle.scheduler[Symbol.asyncDispose]()
      await silent(handle)
    })
    started('may be started again after stop', 1000, async ({ scheduler, advance, wakes, options }) => {
      await scheduler.stop()
      const before = wakes()
      let again = 0
      const count = (): void => {
        again += 1
      }
      await scheduler.start(count, { ...options, pollMs: 1000 })
      await advance(1000 + lateMs)
      assert.ok(again >= 1)
      assert.equal(wakes(), before)
    })
    it('does not wake when start is given an aborted signal', async () => {
      const handle = await create()
      let wakes = 0
      try {
        const signal = AbortSignal.abort()
        const count = (): void => {
          wakes += 1
        }
        await handle.scheduler.start(count, { signal, pollMs: 1000 }).catch(() => undefined)
        await handle.advance(3000)
        assert.equal(wakes, 0)
      } finally {
        await handle.dispose()
      }
    })
  })
}
