import type { StoredFile } from '@holdfast/core/spec'
import { memoryRunContext } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { readMark } from '../src/mark.ts'
import { restoreMachine } from '../src/restore/restore-machine.ts'
import { type Death, dyingConnection } from './support/dying-connection.ts'
import { hurriedClock } from './support/host-connection.ts'
import { mark, type RestoreHost, restoreHost } from './support/restore-host.ts'
import { restorePoint } from './support/restore-point.ts'
import { undoOn } from './support/undo-intents.ts'

const point = (file?: (name: string, stored: StoredFile) => StoredFile) =>
  restorePoint({ disks: [new Uint8Array(65_536).fill(5)], ...(file && { file }) })
const foreign = { name: 'foreign', uuid: '22222222-0000-4000-8000-000000000000' }

/** Settles what a dead attempt has left, as another process does it later: while its lease is still held, and when that has run out of time. */
async function settle(host: RestoreHost, run: ReturnType<typeof memoryRunContext>) {
  const provider = undoOn({ ...host.connection, clock: hurriedClock() })
  const early = await run.undoOpen({ by: provider }).catch(() => undefined)
  for (const lease of [...host.simulator.leases.open]) lease.fail({ fault: 'Timedout', message: 'Operation timed out.' })
  const late = await run.undoOpen({ by: provider })
  return [...(early ?? []), ...late]
}

/** One attempt that dies, and what is there when it was settled. Undefined: it did not live to that call. */
async function attempt(host: RestoreHost, death: Death, purpose: 'recover' | 'test'): Promise<string | undefined> {
  const dying = dyingConnection(host.connection, death)
  const run = memoryRunContext({ provider: undoOn(host.connection), mark })
  const request = { purpose, name: 'web', start: false, options: {} } as const
  const outcome = await restoreMachine(dying.connection, request, point(), run.run).then(
    () => 'resolved',
    () => 'died',
  )
  if (!dying.isDead()) {
    await dying[Symbol.asyncDispose]()
    expect(outcome).toBe('resolved')
    for (const lease of [...host.simulator.leases.open]) lease.fail()
    return undefined
  }
  const answers = await settle(host, run)
  await dying[Symbol.asyncDispose]()
  expect(host.simulator.leases.open.size).toBe(0)
  const made = host.simulator.machines().filter(({ name }) => name !== 'foreign')
  const delivered = answers.some((answer) => answer !== 'undone')
  expect(made.map(({ name, conduct }) => `${name} ${readMark(conduct.annotation)?.purpose}`)).toEqual(delivered ? ['web machine'] : [])
  expect(host.simulator.machine('foreign')?.conduct.annotation).toBe('')
  // Again, later: nothing changes.
  await run.undoOpen()
  return delivered ? 'delivered' : 'removed'
}

for (const when of ['before', 'after'] as const)
  test(`an attempt that dies ${when} any of its calls leaves nothing of ours once it is undone, and what it delivered stays`, async () => {
    const outcomes: string[] = []
    for (let at = 1; at < 100; at += 1) {
      const host = await restoreHost({ machines: [foreign] })
      const outcome = await attempt(host, { from: 'CreateImportSpec', at, when }, 'recover')
      await host[Symbol.asyncDispose]()
      if (outcome === undefined) break
      outcomes.push(outcome)
    }
    expect(outcomes.length).toBeGreaterThanOrEqual(7)
    expect(outcomes[0]).toBe('removed')
    if (when === 'after') expect(outcomes.at(-1)).toBe('delivered')
  })

test('an attempt that dies while it sends a disk leaves nothing once its lease has ended', async () => {
  const host = await restoreHost({ machines: [foreign] })
  const dying = dyingConnection(host.connection, { from: 'never', at: 0, when: 'before' })
  const run = memoryRunContext({ provider: undoOn(host.connection), mark })
  let opened = 0
  const source = point((name, stored) => ({
    ...stored,
    async open(options) {
      opened += name.endsWith('.vmdk') ? 1 : 0
      // The first time only its header is looked at.
      if (opened === 2) dying.die()
      return stored.open(options)
    },
  }))
  await expect(
    restoreMachine(dying.connection, { purpose: 'recover', name: 'web', start: false, options: {} }, source, run.run),
  ).rejects.toThrow()
  expect(host.names()).toHaveLength(2)
  expect(await settle(host, run)).toEqual(['undone'])
  expect(host.names()).toEqual(['foreign'])
  await dying[Symbol.asyncDispose]()
  await host[Symbol.asyncDispose]()
})

test('a machine of another attempt, or one that was delivered, is never removed', async () => {
  const host = await restoreHost()
  const first = host.run()
  await host.restore(point(), first)
  const second = host.run({ attempt: 2 })
  for (const { data, kind } of first.intended) await second.run.intend(kind, data)
  expect(await second.undoOpen()).toEqual(['undone'])
  expect(host.names()).toEqual(['web'])
  await host[Symbol.asyncDispose]()
})
