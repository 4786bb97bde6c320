import { systemClock } from '@holdfast/core/spec'
import { fakeClock } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { connectionOf, hurriedClock, machineOf } from '../test/support/host-connection.ts'
import { type Connected, call, connected } from '../test/support/simulated-host.ts'
import { runTask } from './machine-task.ts'

/** A machine whose snapshots are made when the gate is opened. */
async function gated() {
  const gate = Promise.withResolvers<void>()
  const web = { name: 'web', uuid: '564d0000-0000-0000-0000-00000000aaaa', conduct: { snapshotGate: gate.promise } }
  return { host: await connected({ machines: [web] }), open: () => gate.resolve() }
}
const request = { name: 'one', memory: false, quiesce: false }

const start = (host: Connected, clock = hurriedClock() as Parameters<typeof connectionOf>[1], more: object = {}) =>
  runTask(connectionOf(host, clock), 'CreateSnapshot_Task', machineOf(host, 'web').vm, request, { ...call, name: 'web', ...more })

async function until(host: Connected, method: string, times = 1): Promise<void> {
  while (host.simulator.calls.filter((name) => name === method).length < times) await new Promise((resolve) => setTimeout(resolve, 1))
}

describe('a task', () => {
  it('4: is waited for through the end of the session, and was started once', async () => {
    const { host, open } = await gated()
    await using _ = host
    const clock = hurriedClock()
    const result = start(host, clock)
    await until(host, 'WaitForUpdatesEx')
    host.simulator.endSessions()
    await until(host, 'CreateFilter', 2)
    open()
    expect(await result).toMatchObject({ type: 'VirtualMachineSnapshot' })
    expect([clock.paused, host.simulator.calls.filter((name) => name === 'CreateSnapshot_Task')]).toEqual([[5], ['CreateSnapshot_Task']])
  })

  it('about which nothing changes for a day is given up as stalled, and goes on', async () => {
    const { host, open } = await gated()
    await using _ = host
    const clock = fakeClock()
    const failed = start(host, clock, { goesOn: true }).catch((error) => error)
    await until(host, 'WaitForUpdatesEx')
    await clock.advance(24 * 3_600_000 - 1)
    expect(await Promise.race([failed, systemClock.sleep(20, call)])).toBeUndefined()
    await clock.advance(1)
    expect(await failed).toMatchObject({ code: 'STALLED', message: expect.stringContaining('CreateSnapshot_Task on web') })
    open()
    while (machineOf(host, 'web').machine.snapshots.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(host.simulator.calls).not.toContain('CancelTask')
  })

  it.each([
    [false, 1],
    [true, 0],
  ])('that is aborted is cancelled, unless it shall go on (%s)', async (goesOn, cancelled) => {
    const { host, open } = await gated()
    await using _ = host
    const stop = new AbortController()
    const failed = start(host, hurriedClock(), { goesOn, signal: stop.signal }).catch((error) => error)
    await until(host, 'WaitForUpdatesEx')
    stop.abort(new Error('enough'))
    expect(await failed).toMatchObject({ message: 'enough' })
    if (!goesOn) await until(host, 'CancelTask')
    open()
    expect(host.simulator.calls.filter((name) => name === 'CancelTask')).toHaveLength(cancelled)
  })
})
