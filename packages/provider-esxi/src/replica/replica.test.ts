import { movedOrCopied, type SimulatedMachine } from '@holdfast/testkit'
import { describe, expect, test } from 'vitest'
import { diskOf, original, pointOf, type ReplicaHost, replicaHost, replicaName } from '../../test/support/replica-host.ts'
import { disksOf, rejection } from '../../test/support/restore-host.ts'
import { readMark, withMark } from '../mark.ts'
import { startMachine } from '../power/start-machine.ts'
import { restoreMachine } from '../restore/restore-machine.ts'
import { deliveredRestore } from '../restore/undo-restore.ts'
import { listLeftovers } from '../undo.ts'
import type { SoapCall } from '../vim25/soap-client.ts'
import type { MoRef } from '../vim25/values.ts'
import { whyKept } from './replica-target.ts'

const call = { signal: new AbortController().signal }

async function withHost(work: (host: ReplicaHost) => Promise<void>, options: Parameters<typeof replicaHost>[0] = {}): Promise<void> {
  const host = await replicaHost(options)
  try {
    await work(host)
    // Whatever came of it, the original is as it was.
    const machine = host.machine(original.name)
    expect([machine.powerState, machine.settings.instanceUuid, machine.conduct.annotation]).toEqual([
      'poweredOn',
      original.instanceUuid,
      '',
    ])
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

const bytesOf = async (host: ReplicaHost): Promise<number | undefined> => (await disksOf(host.machine()))[0]?.[0]
const byteOf = (point: string): number | undefined => diskOf(point)[0]
const start = (host: ReplicaHost, network: 'as-configured' | 'connected' | 'disconnected') =>
  startMachine(host.connection, { type: 'VirtualMachine', value: host.machine().value }, { ...call, network })

/** Why a machine is not removed, by what its notes say. */
function kept(host: ReplicaHost, { ref, id }: { readonly ref: MoRef<'VirtualMachine'>; readonly id: string }) {
  const marked = readMark(host.simulator.machines().find(({ value }) => value === ref.value)?.conduct.annotation)
  if (marked === undefined) throw new Error(`${ref.value} has no mark`)
  return whyKept(host.connection, { ref, id }, marked, call)
}

/** Switches a machine on, past the host, as soon as its notes say this. */
function startOnceMarked(host: ReplicaHost, purpose: string): void {
  const session = host.connection.session as { call: SoapCall }
  const before = session.call
  const called = async (...words: Parameters<SoapCall>): Promise<unknown> => {
    const result = await before(...words)
    for (const one of host.simulator.machines()) if (readMark(one.conduct.annotation)?.purpose === purpose) one.powerState = 'poweredOn'
    return result
  }
  session.call = called as SoapCall
}

describe('a replica that is new', () => {
  test('is off, holds its point, has no network, and is the original to its guest but not to the host', () =>
    withHost(async (host) => {
      const run = host.run()
      const id = await host.replicate('a', {}, run)
      const { powerState, settings, hardware, conduct } = host.machine()
      expect([host.replicas(), powerState]).toEqual([['web_replica replica a'], 'poweredOff'])
      expect(readMark(conduct.annotation)).toEqual({ purpose: 'replica', mark: run.run.mark, point: 'a' })
      expect(hardware.cards.map(({ mac, startConnected, connected }) => [mac, startConnected, connected])).toEqual([
        ['00:50:56:aa:bb:00', false, false],
      ])
      expect(settings.uuid).toBe(original.uuid)
      expect([settings.instanceUuid, id]).toEqual([id, expect.not.stringMatching(original.instanceUuid)])
      expect(run.intended.map(({ kind }) => kind)).toEqual(['remove-machine'])
      expect(await bytesOf(host)).toBe(byteOf('a'))
    }))

  test('has other addresses when that is asked for', () =>
    withHost(async (host) => {
      await host.replicate('a', { options: { newIdentity: true } })
      const { settings, hardware } = host.machine()
      expect([settings.uuid === original.uuid, hardware.cards[0]?.mac === '00:50:56:aa:bb:00']).toEqual([false, false])
    }))

  test('is connected to exactly the networks that options map, and each card has its place', () =>
    withHost(
      async (host) => {
        const source = pointOf('a', { networks: ['LAN', 'Office'] })
        await host.replicate(source, { options: { networks: { Office: 'Lab' } } })
        expect(host.machine().hardware.cards.map(({ network, connected }) => `${network} ${connected}`)).toEqual(['LAN false', 'Lab true'])
        const unmapped = host.replicate(pointOf('a', { networks: ['DMZ'] }), { name: 'other' })
        expect(await rejection(unmapped)).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('"DMZ"') })
      },
      { networks: [{ name: 'LAN' }, { name: 'Lab' }], machines: [original] },
    ))

  test('is refused a name that is taken, and is not started', () =>
    withHost(async (host) => {
      expect(await rejection(host.replicate('a', { name: original.name }))).toMatchObject({ code: 'NAME_TAKEN' })
      expect(await rejection(host.replicate('a', { start: true }))).toMatchObject({ code: 'UNSUPPORTED' })
      expect(host.count('ImportVApp')).toBe(0)
    }))

  test('is found by the mark of its run, is never undone, and is no leftover', () =>
    withHost(async (host) => {
      const run = host.run()
      const { workload } = await host.restore(pointOf('a'), run, { purpose: 'replica', name: replicaName })
      expect(await run.undoOpen()).toEqual([{ delivered: { workload } }])
      expect(await deliveredRestore(host.connection, run.run.mark, call)).toEqual({ workload })
      for await (const left of listLeftovers(host.connection, 'esxi', call)) throw new Error(left.id)
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }))
})

describe('a replica that is brought to another point', () => {
  test('is not removed for a new one that somebody has started meanwhile', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const { value } = host.machine()
      startOnceMarked(host, 'replica-swap')
      expect(await rejection(host.replicate('b', { target: id }))).toMatchObject({
        code: 'IN_USE',
        message: expect.stringContaining('which was to become a replica'),
      })
      expect(host.simulator.machines().map((one) => one.value)).toContain(value)
    }))

  test('is one machine with the bytes of that point, under the same id and name', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const before = host.machine().value
      const run = host.run()
      expect(await host.replicate('b', { target: id, name: 'whatever' }, run)).toBe(id)
      expect([host.replicas(), host.machine().settings.instanceUuid, await bytesOf(host)]).toEqual([
        ['web_replica replica b'],
        id,
        byteOf('b'),
      ])
      expect(host.machine().value).not.toBe(before)
      expect(run.intended.map(({ kind }) => kind)).toEqual(['remove-machine', 'swap-replica'])
      expect(run.intents.every(({ kept }) => kept)).toBe(true)
      expect(await host.replicate('c', { target: id })).toBe(id)
      expect(host.replicas()).toEqual(['web_replica replica c'])
    }))

  test('is left alone when it holds that point already', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const [before, calls] = [host.machine().value, host.simulator.calls.length]
      const run = host.run()
      expect(await host.replicate('a', { target: id }, run)).toBe(id)
      expect([host.machine().value, run.intended]).toEqual([before, []])
      expect(host.simulator.calls.slice(calls).filter((name) => /_Task|Import/.test(name))).toEqual([])
    }))

  test('holds its point until the new one is whole: a disk that does not match costs nothing', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const run = host.run()
      host.simulator.leases.script('disk-0.vmdk', { does: 'reset', afterBytes: 100 })
      await rejection(host.replicate('b', { target: id }, run))
      await run.undoOpen()
      expect([host.replicas(), await bytesOf(host)]).toEqual([['web_replica replica a'], byteOf('a')])
    }))

  test('stays where people have moved it, under the name that they gave it', () =>
    withHost(
      async (host) => {
        const id = await host.replicate('a')
        const { places } = host.simulator
        host.machine().name = 'Ann / 100%'
        const folders: unknown[] = []
        const { session } = host.connection
        const call: SoapCall = (method, self, parameters, options) => {
          if (method === 'ImportVApp') folders.push((parameters as { readonly folder?: MoRef }).folder?.value)
          return session.call(method, self, parameters, options)
        }
        const connection = { ...host.connection, session: { ...session, call } }
        for (const options of [{}, { folder: 'vm' }]) {
          const request = { purpose: 'replica', name: replicaName, target: id, start: false, options } as const
          const run = host.run({ attempt: folders.length + 1 })
          await restoreMachine(connection, request, pointOf(`b${folders.length}`), run.run)
        }
        expect([host.replicas(), host.machine('Ann / 100%').settings.instanceUuid]).toEqual([['Ann / 100% replica b1'], id])
        expect(folders[0]).toBe(places.machineFolder.value)
        expect(folders[1]).not.toBe(places.machineFolder.value)
      },
      { kind: 'vcenter', machines: [original] },
    ))

  test.each([
    ['is on', (found: SimulatedMachine) => Object.assign(found, { powerState: 'poweredOn' }), 'IN_USE', 'is on'],
    ['is suspended', (found: SimulatedMachine) => Object.assign(found, { powerState: 'suspended' }), 'IN_USE', 'suspended'],
    ['is a template', ({ settings }: SimulatedMachine) => Object.assign(settings, { template: true }), 'UNSUPPORTED', 'template'],
    ['has lost its mark', ({ conduct }: SimulatedMachine) => Object.assign(conduct, { annotation: 'mine' }), 'UNSUPPORTED', 'no replica'],
  ] as const)('is refused when it %s, before anything is made', (_what, change, code, words) =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      change(host.machine())
      const [value, imports] = [host.machine().value, host.count('ImportVApp')]
      const error = await rejection(host.replicate('b', { target: id }))
      expect(error).toMatchObject({ code, message: expect.stringContaining(words), remedy: expect.stringContaining('target') })
      expect(error.message).toContain(replicaName)
      expect([host.machine().value, host.count('ImportVApp')]).toEqual([value, imports])
    }),
  )

  test('is refused when it is of another system, when it is no replica, and when it is not there', () =>
    withHost(async (host) => {
      const id = await host.replicate('a', {}, host.run({ system: 'another' }))
      expect(await rejection(host.replicate('b', { target: id }))).toMatchObject({
        code: 'UNSUPPORTED',
        message: expect.stringContaining('another system'),
      })
      expect(await rejection(host.replicate('b', { target: original.instanceUuid }))).toMatchObject({ code: 'UNSUPPORTED' })
      expect(await rejection(host.replicate('b', { target: 'nothing' }))).toMatchObject({ code: 'NOT_FOUND' })
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }))

  test.each([
    ['of a person', 'before the update', false],
    ['that a plan keeps', withMark('', { purpose: 'snapshot', mark: { system: 'test', plan: 's', run: 'r', attempt: 1 } }), false],
    ['of a backup of it', withMark('', { purpose: 'backup', mark: { system: 'test', plan: 's', run: 'r', attempt: 1 } }), true],
  ])('is refused while it has a snapshot %s, which would be lost', (_whose, description, retryable) =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const parameters = { name: 'kept', description, memory: false, quiesce: false }
      await host.connection.session.call('CreateSnapshot_Task', { type: 'VirtualMachine', value: host.machine().value }, parameters, call)
      while (host.machine().snapshots.length === 0) await new Promise((resolve) => setImmediate(resolve))
      const error = await rejection(host.replicate('b', { target: id }))
      expect(error).toMatchObject({ code: 'IN_USE', retryable, message: expect.stringContaining('"kept"') })
      // Nothing would be lost.
      expect(await host.replicate('a', { target: id })).toBe(id)
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }),
  )

  test('is refused while a disk of somewhere else is in it, which would be deleted with it', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const [disk] = host.machine().hardware.disks
      Object.assign(disk ?? {}, { fileName: '[datastore1] web/web.vmdk' })
      const error = await rejection(host.replicate('b', { target: id }))
      expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('[datastore1] web/web.vmdk') })
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }))

  test('is refused while another machine has a disk of it, which would be deleted', () =>
    withHost(
      async (host) => {
        const id = await host.replicate('a')
        const [disk] = host.machine('helper').hardware.disks
        const file = disk?.fileName
        Object.assign(disk ?? {}, { fileName: host.machine().hardware.disks[0]?.fileName })
        const error = await rejection(host.replicate('b', { target: id }))
        expect(error).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringContaining('helper') })
        Object.assign(disk ?? {}, { fileName: file })
        expect(await host.replicate('b', { target: id })).toBe(id)
      },
      { machines: [original, { name: 'helper', uuid: '22222222-0000-4000-8000-000000000000' }] },
    ))

  test.each([
    ['whose file is at the root of a datastore', '[datastore1] web_replica.vmx', '[datastore1] web_replica.vmdk'],
    ['of which nobody knows where its file is', undefined, '[datastore1] web_replica.vmdk'],
    ['with a disk at the root of a datastore', '[datastore1] web/web.vmx', '[datastore2] data.vmdk'],
    ['with a disk in a folder of that name of another datastore', '[datastore1] web/web.vmx', '[datastore2] web/web.vmdk'],
  ])('is refused for a machine %s', (_what, home, file) =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const machine = host.machine()
      const own = machine.properties
      Object.assign(machine.hardware.disks[0] ?? {}, { fileName: file })
      machine.properties = (values) => {
        const { 'config.files.vmPathName': _path, ...rest } = own.call(machine, values)
        return { ...rest, ...(home !== undefined && { 'config.files.vmPathName': values.text(home) }) }
      }
      expect(await rejection(host.replicate('b', { target: id }))).toMatchObject({ code: 'UNSUPPORTED' })
      expect(await kept(host, { ref: { type: 'VirtualMachine', value: machine.value }, id })).toMatchObject({ code: 'UNSUPPORTED' })
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }),
  )

  test('is refused when the account may not read what would go with it', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const { session } = host.connection
      const blind: SoapCall = async (method, self, parameters, options) => {
        const answer = await session.call(method, self, parameters, options)
        const page = answer as undefined | { readonly objects?: readonly object[] }
        if (!JSON.stringify(parameters).includes('"snapshot"') || page?.objects === undefined) return answer
        const fault = { fault: { $type: 'NoPermission' }, localizedMessage: 'no' }
        return { ...page, objects: page.objects.map((one) => ({ ...one, missingSet: [{ path: 'snapshot', fault }] })) } as never
      }
      const connection = { ...host.connection, session: { ...session, call: blind } }
      const request = { purpose: 'replica', name: replicaName, target: id, start: false, options: {} } as const
      expect(await rejection(restoreMachine(connection, request, pointOf('b'), host.run().run))).toMatchObject({ code: 'ACCESS_DENIED' })
    }))

  test('is not taken for another one that has its reference now, as hosts use references again', () =>
    withHost(async (host) => {
      const [first, second] = [await host.replicate('a'), await host.replicate('a', { name: 'second' })]
      const ref = { type: 'VirtualMachine', value: host.machine('second').value } as const
      expect(await rejection(kept(host, { ref, id: first }))).toMatchObject({ code: 'NOT_FOUND' })
      expect(await kept(host, { ref, id: second })).toBeUndefined()
    }))

  test('tells it when the host does not give it the id of the old one', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      const run = host.run()
      host.simulator.leases.script('disk-0.vmdk', {
        does: 'call',
        afterBytes: 1,
        call: () => {
          for (const machine of host.simulator.machines()) machine.conduct.keepsInstanceUuid = true
        },
      })
      const now = await host.replicate('b', { target: id }, run)
      expect([now, host.replicas()]).toEqual([host.machine().settings.instanceUuid, ['web_replica replica b']])
      expect(now).not.toBe(id)
      expect(run.notes).toMatchObject([{ level: 'warning', code: 'REPLICA_ID_CHANGED' }])
    }))
})

describe('a replica that is started', () => {
  test('without a network holds no point any more, and can be brought to one, the same too', () =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      await start(host, 'disconnected')
      expect([host.replicas(), host.machine().powerState]).toEqual([['web_replica replica'], 'poweredOn'])
      host.machine().powerState = 'poweredOff'
      expect(await host.replicate('a', { target: id })).toBe(id)
      expect(host.replicas()).toEqual(['web_replica replica a'])
    }))

  test.each(['connected', 'as-configured'] as const)('with its network %s has taken over: nothing replaces it any more', (network) =>
    withHost(async (host) => {
      const id = await host.replicate('a')
      await start(host, network)
      expect(host.replicas()).toEqual(['web_replica machine'])
      host.machine().powerState = 'poweredOff'
      expect(await rejection(host.replicate('b', { target: id }))).toMatchObject({ code: 'UNSUPPORTED' })
      expect(host.replicas()).toEqual(['web_replica machine'])
    }),
  )

  test('says that it was moved, so that its guest keeps the UUID of the original', () =>
    withHost(async (host) => {
      await host.replicate('a')
      host.machine().conduct.asksAtPowerOn = movedOrCopied
      await start(host, 'connected')
      expect(host.machine().conduct.answers).toEqual(['1'])
    }))
})
