import { collectingSink, fakeClock, memoryRunContext } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import type { ExportHost, ExportHostOptions } from '../../test/support/export-host.ts'
import {
  clusterBytes,
  diskOn,
  holdsAll,
  makePoint,
  noise,
  random,
  reasonsIn,
  type TrackedPoint,
  trackedHost,
  trackedOptions,
  webOn,
  write,
} from '../../test/support/tracked-points.ts'
import { backupMachine } from '../backup/backup-machine.ts'
import { parseBackupOptions } from '../backup/backup-options.ts'

const flat = 'web/web-flat.vmdk'
const never = { signal: new AbortController().signal }
const bytesRead = ({ ranges }: TrackedPoint): number => ranges.reduce((sum, [, first, last]) => sum + last - first + 1, 0)
const isWhole = ['unmapped', 'unmapped']
const isChanges = ['changes', 'changes']

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

describe('a backup with changed areas', () => {
  it('switches tracking on, and its point notes how far changes were tracked at its snapshot', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    expect([full.covers, reasonsIn(full), await holdsAll(host, full)]).toEqual([isWhole, [], [true, true]])
    expect(full.notes).toMatchObject([{ level: 'info', code: 'CHANGE_TRACKING_ON' }])
    expect([webOn(host).settings.changeTracking, webOn(host).snapshots]).toEqual([true, []])
    const keys = full.base.disks.map(({ key }) => key)
    expect(full.result.checkpoint).toMatchObject({
      v: 1,
      inARow: 0,
      disks: Object.fromEntries(keys.map((key, index) => [key, { changeId: diskOn(host, index).changeId }])),
    })
  })

  it('has an option that is strict, is off unless it is written, and stays as it is when it is parsed again', () => {
    expect(parseBackupOptions({})).not.toHaveProperty('experimental')
    const parsed = parseBackupOptions({ experimental: { changedAreas: true } })
    expect([parsed.experimental, parseBackupOptions(parsed)]).toEqual([{ changedAreas: true }, parsed])
    for (const experimental of [{ changedAreas: 'yes' }, { changedArea: true }, true])
      expect(() => parseBackupOptions({ experimental })).toThrow(/experimental/)
  })

  it('27: reads what has changed alone, as far as all answers of the host say it, and hands it over as changes', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    diskOn(host).tracking.spanBytes = 1024 * 1024
    // One at the beginning, one over the edge of two answers, one at the end: a cluster is read whole when a byte of it has changed.
    await write(host, 5, random.bytes(1))
    await write(host, 2 * 1024 * 1024 - 10, random.bytes(20))
    await write(host, 4 * 1024 * 1024 - 1, Uint8Array.of(1))
    const increment = await makePoint(host, full)
    expect([increment.covers, reasonsIn(increment), await holdsAll(host, increment)]).toEqual([isChanges, [], [true, true]])
    expect(increment.items.flatMap((item) => (item.type === 'disk' ? [item.dataBytes] : []))).toEqual([4 * clusterBytes, 0])
    expect(increment.calls.filter((name) => name === 'QueryChangedDiskAreas')).toHaveLength(4 + 1)
    expect(bytesRead(increment)).toBeLessThan(20 * clusterBytes)
    expect(increment.notes).toMatchObject([{ level: 'info', code: 'CHANGED_AREAS_READ' }])
    expect(increment.items.flatMap((item) => (item.type === 'stream' ? [item.name] : []))).toEqual(['web.nvram', 'web.vmx', 'web.ovf'])
  })

  it('27: would lose data if it believed the first answer alone', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    diskOn(host).tracking.spanBytes = clusterBytes
    await write(host, 3 * 1024 * 1024, random.bytes(clusterBytes))
    const increment = await makePoint(host, full)
    expect([increment.covers, await holdsAll(host, increment)]).toEqual([isChanges, [true, true]])
  })

  it('joins areas that are near to each other to one request, and asks for at most 4 MiB at once', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    for (const cluster of [10, 12, 14, 16]) await write(host, cluster * clusterBytes, random.bytes(clusterBytes))
    const increment = await makePoint(host, full)
    const [from, to] = [10 * clusterBytes, 17 * clusterBytes - 1]
    expect(increment.ranges).toContainEqual([flat, from, to])
    const within = increment.ranges.filter(([path, first, last]) => path === flat && first >= from && last <= to)
    expect(within.filter(([, first, last]) => last - first + 1 > clusterBytes)).toEqual([[flat, from, to]])
    expect([increment.covers, await holdsAll(host, increment)]).toEqual([isChanges, [true, true]])
  })

  it('of a machine that is off makes increments too, which are as trustworthy as its full', async () => {
    await using host = await trackedHost({ powerState: 'poweredOff' })
    const full = await makePoint(host)
    await write(host, 1024 * 1024, random.bytes(100))
    const increment = await makePoint(host, full)
    expect([increment.covers, await holdsAll(host, increment)]).toEqual([isChanges, [true, true]])
    expect([full.result.consistency, increment.result.consistency]).toEqual(['off', 'off'])
  })

  it('without the option asks for nothing of it and leaves tracking alone', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host, undefined, { options: { mode: 'vmdk' } })
    await makePoint(host, full, { options: { mode: 'vmdk' } })
    expect([full.result.checkpoint, host.count('QueryChangedDiskAreas'), host.count('ReconfigVM_Task')]).toEqual([undefined, 0, 0])
  })

  it('4: goes on when the session ends while areas are asked for, and while they are read', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    await write(host, 0, random.bytes(clusterBytes))
    host.simulator.refuse('QueryChangedDiskAreas', { fault: 'NotAuthenticated', message: 'The session is not authenticated.' })
    host.simulator.files.script(flat, { does: 'call', call: () => host.simulator.endSessions() })
    const increment = await makePoint(host, full)
    expect([increment.covers, reasonsIn(increment), await holdsAll(host, increment)]).toEqual([isChanges, [], [true, true]])
    expect(increment.calls.filter((name) => name === 'Login')).toHaveLength(2)
  })

  it('rejects with the reason of an abort while areas are asked for, and not with another way of reading', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    const controller = new AbortController()
    diskOn(host).tracking.forge = (areas) => {
      controller.abort(new Error('enough'))
      return areas
    }
    const memory = memoryRunContext({ provider: {} as never })
    const request = { workload: webOn(host).settings.uuid, options: trackedOptions, base: full.base }
    const run = { ...memory.run, signal: controller.signal }
    const { sink, items } = collectingSink({ base: full.items })
    expect(await failure(backupMachine(host.connection, request, sink, run))).toMatchObject({ message: 'enough' })
    expect([items, memory.notes]).toEqual([[], []])
  })

  it('reads everything after six increments in a row, without a warning, and then changed areas again', { timeout: 60_000 }, async () => {
    await using host = await trackedHost()
    let point = await makePoint(host)
    const covers: string[] = []
    for (let count = 0; count < 8; count += 1) {
      point = await makePoint(host, point)
      covers.push(point.covers[0] ?? '')
      expect(reasonsIn(point)).toEqual([])
    }
    const changes = Array.from({ length: 6 }, () => 'changes')
    expect(covers).toEqual([...changes, 'unmapped', 'changes'])
  })
})

describe('a backup with changed areas reads everything', () => {
  type Prepare = (host: ExportHost, full: TrackedPoint) => unknown

  /** A full, then an increment of which something has changed. */
  async function increment(prepare: Prepare, options: ExportHostOptions = {}): Promise<TrackedPoint> {
    await using host = await trackedHost({}, options)
    const full = await makePoint(host)
    await write(host, 640_000, noise(200_000))
    await prepare(host, full)
    const point = await makePoint(host, full)
    expect([point.covers, await holdsAll(host, point)]).toEqual([isWhole, [true, true]])
    expect(webOn(host).snapshots).toEqual([])
    return point
  }
  const refuse =
    (fault: string, fields = '') =>
    (host: ExportHost) =>
      host.simulator.refuse('QueryChangedDiskAreas', { fault, message: 'it cannot be told', fields })
  const forge = (areas: readonly { readonly start: number; readonly length: number }[]) => (host: ExportHost) => {
    diskOn(host).tracking.forge = () => areas
  }

  const shiftSecond = ({ simulator: { files } }: ExportHost): void => {
    files.script(flat, { does: 'call', call: () => {} })
    files.script(flat, { does: 'shift' })
  }

  it.each<[string, Prepare, string]>([
    ['28: when tracking was begun anew', (host) => diskOn(host).tracking.reset(), 'begun anew'],
    ['28: when the host has forgotten the moment of the point (InvalidArgument)', refuse('InvalidArgument'), 'InvalidArgument'],
    ['28: when the host cannot read its notes (FileFault)', refuse('FileFault', '<file>web-ctk.vmdk</file>'), 'FileFault'],
    ['28: when the host does not know the question (MethodNotFound)', refuse('MethodNotFound'), 'MethodNotFound'],
    ['28: when the host does not support the question (NotSupported)', refuse('NotSupported'), 'NotSupported'],
    ['28: when an area is outside of the disk', forge([{ start: 4 * 1024 * 1024 - 10, length: 20 }]), 'outside of the disk'],
    ['28: when an area is empty', forge([{ start: 0, length: 0 }]), 'outside of the disk'],
    [
      '28: when areas overlap',
      forge([
        { start: 0, length: 100 },
        { start: 50, length: 100 },
      ]),
      'begins before 100',
    ],
    [
      '28: when areas are not in order',
      forge([
        { start: 100_000, length: 100 },
        { start: 0, length: 100 },
      ]),
      'begins before 100100',
    ],
    [
      '27: when an answer speaks of nothing',
      (host) => {
        diskOn(host).tracking.spanBytes = 0
      },
      'about 0 bytes at 0',
    ],
    ['20: when the flat file is locked', (host) => host.simulator.files.script(flat, { does: 'status', status: 500 }), 'HTTP 500'],
    ['20: when the whole file comes for a range', (host) => host.simulator.files.script(flat, { does: 'whole' }), 'HTTP 200'],
    ['20: when there is no such range', (host) => host.simulator.files.script(flat, { does: 'shift' }), 'HTTP 416'],
    ['20: when another range comes', shiftSecond, 'was asked for'],
    [
      '9: when the NVRAM cannot be read',
      (host) => host.simulator.files.script('web/web.nvram', { does: 'status', status: 404 }),
      'web.nvram',
    ],
  ])('%s', async (_name, prepare, why) => {
    const point = await increment(prepare)
    expect(reasonsIn(point)).toEqual([expect.stringContaining(why)])
    expect(point.notes.map(({ code }) => code)).toEqual(['CHANGED_AREAS_NOT_USED'])
  })

  it.each([
    ['a full without a checkpoint', null, 'without a note'],
    ['a checkpoint of another kind', { checkpoint: 7 }, 'without a note'],
    ['a checkpoint that knows none of the disks', { v: 1, inARow: 0, disks: {} }, 'Hard disk 1 is not in the last point'],
  ])('28: upon %s', async (_name, checkpoint, why) => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    const point = await makePoint(host, full, { checkpoint })
    expect([point.covers, reasonsIn(point)]).toEqual([isWhole, [expect.stringContaining(why)]])
    expect((await makePoint(host, point)).covers).toEqual(isChanges)
  })

  it.each([
    ['which has another snapshot', {}, async (host: ExportHost) => addSnapshot(host), 'the snapshot "of Ann"'],
    ['with old hardware', { hardwareVersion: 4 }, undefined, 'version 4'],
    ['with an independent disk', { powerState: 'poweredOff', disks: [{ mode: 'independent_persistent' }] }, undefined, 'is independent'],
  ] as const)('24: of a machine %s, whose tracking stays off', async (_name, machine, prepare, why) => {
    await using host = await trackedHost(machine)
    await prepare?.(host)
    const options = { experimental: { changedAreas: true }, images: false }
    const point = await makePoint(host, undefined, { options })
    expect([reasonsIn(point), point.result.checkpoint]).toEqual([[expect.stringContaining(why)], undefined])
    expect([webOn(host).settings.changeTracking, host.count('ReconfigVM_Task')]).toEqual([false, 0])
  })

  it('28: when the account may not switch tracking on', async () => {
    await using host = await trackedHost()
    host.simulator.refuse('ReconfigVM_Task', { fault: 'NoPermission', message: 'Permission was denied.' })
    const point = await makePoint(host)
    expect([point.covers, reasonsIn(point), point.result.checkpoint]).toEqual([
      isWhole,
      [expect.stringContaining('NoPermission')],
      undefined,
    ])
  })

  it('28: on a datastore that is neither VMFS nor NFS', async () => {
    await using host = await trackedHost({}, { datastores: [{ name: 'datastore1', type: 'PMEM' }] })
    const point = await makePoint(host)
    expect([point.covers, reasonsIn(point)]).toEqual([isWhole, [expect.stringContaining('PMEM')]])
  })

  it('28: when the host takes the order to track and does not follow it', async () => {
    await using host = await trackedHost({ conduct: { ignoresChanges: true } })
    const point = await makePoint(host)
    expect([point.covers, reasonsIn(point)]).toEqual([isWhole, [expect.stringContaining('no change id')]])
  })

  it('28: of a machine that is off and cannot have a snapshot, without one', async () => {
    await using host = await trackedHost({ powerState: 'poweredOff' })
    host.simulator.refuse('CreateSnapshot_Task', { fault: 'NotSupported', message: 'The operation is not supported on the object.' })
    const point = await makePoint(host)
    expect([point.covers, reasonsIn(point)]).toEqual([isWhole, [expect.stringContaining('NotSupported')]])
  })

  it('of a disk that is called changed as a whole, and stores what differs alone', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    diskOn(host).tracking.forge = (_areas, span) => [span]
    const point = await makePoint(host, full)
    expect([point.covers, reasonsIn(point), await holdsAll(host, point)]).toEqual([['unmapped', 'changes'], [], [true, true]])
  })
})

describe('tracking that lies', () => {
  /** Every cluster is another one, and the host says that nothing has changed: whatever is remembered shows it. */
  async function lie(host: ExportHost): Promise<void> {
    await write(host, 0, noise(4 * 1024 * 1024))
    diskOn(host).tracking.forge = () => []
  }

  it('28: is found by its samples; everything is read in the same run, and it is not believed until it is begun anew', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    await lie(host)
    const found = await makePoint(host, full)
    expect([found.covers, await holdsAll(host, found), found.result.checkpoint]).toEqual([isWhole, [true, true], undefined])
    expect(reasonsIn(found)).toEqual([expect.stringMatching(/^CHANGED_AREAS_WRONG .*Hard disk 1 at \d+.* begun anew/)])
    diskOn(host).tracking.forge = undefined
    // Also not after the next full, which knows no earlier point.
    const next = await makePoint(host)
    expect([next.result.checkpoint, reasonsIn(next)]).toEqual([undefined, [expect.stringContaining('has missed changes before')]])
    for (const changeTrackingEnabled of [false, true])
      await host.connection.session.call('ReconfigVM_Task', host.machine('web'), { spec: { changeTrackingEnabled } }, never)
    const trusted = await makePoint(host)
    await write(host, 0, random.bytes(100))
    const increment = await makePoint(host, trusted)
    expect([increment.covers, reasonsIn(increment), await holdsAll(host, increment)]).toEqual([isChanges, [], [true, true]])
  })

  it('28: is told also when that cannot be noted on the machine, and the next increment reads everything', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    await lie(host)
    host.simulator.refuse('ReconfigVM_Task', { fault: 'NoPermission', message: 'Permission was denied.' })
    const found = await makePoint(host, full)
    expect([found.covers, await holdsAll(host, found)]).toEqual([isWhole, [true, true]])
    expect(reasonsIn(found)).toEqual([expect.stringMatching(/CHANGED_AREAS_WRONG .*could not be noted/)])
    expect((await makePoint(host, found)).covers).toEqual(isWhole)
  })
})

describe('an increment by changed areas that breaks in the middle', () => {
  it('20: fails with BASE_LOST, so that the engine makes a full at once', async () => {
    await using host = await trackedHost()
    const full = await makePoint(host)
    await write(host, 0, noise(300_000))
    const duringItem = async () => host.simulator.files.script(flat, { does: 'status', status: 500, always: true })
    const error = await failure(makePoint(host, full, { duringItem }))
    expect(error).toMatchObject({ code: 'BASE_LOST', message: expect.stringContaining('HTTP 500') })
    expect(webOn(host).snapshots).toEqual([])
  })

  it('fails as it is when the host has gone: a full would fare no better', async () => {
    const ownClock = fakeClock()
    await using host = await trackedHost({}, { ownClock })
    const full = await makePoint(host)
    await write(host, 0, noise(300_000))
    const duringItem = async () => host.simulator.files.script(flat, { does: 'cut', afterBytes: 0, always: true })
    const work = failure(makePoint(host, full, { duringItem }))
    let over = false
    work.finally(() => {
      over = true
    })
    while (!over) {
      await ownClock.advance(1000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await work).toMatchObject({ code: 'UNREACHABLE', retryable: true })
  })
})

async function addSnapshot(host: ExportHost): Promise<void> {
  const snapshot = { name: 'of Ann', memory: false, quiesce: false }
  await host.connection.session.call('CreateSnapshot_Task', host.machine('web'), snapshot, never)
  for (; webOn(host).snapshots.length === 0; ) await new Promise((resolve) => setImmediate(resolve))
}
