import assert from 'node:assert/strict'
import type { Flags, PointRow } from '@holdfast/core/spec'
import {
  collect,
  commitPoints,
  condemnPoints,
  leaseOf,
  manifest,
  point,
  rejectsWith,
  repository,
  runningRun,
  type StoreContractOptions,
  type StoreTest,
  storeTestCase,
  versionOf,
  workload,
} from './store-handle.ts'

const catalogOf = ({ store, options }: StoreTest) => store.points.catalog(repository, workload, options)
const found = (row: PointRow, flags: Flags = {}) => ({ ...row, flags })
const foldersOf = async (given: StoreTest): Promise<string[]> => (await catalogOf(given)).points.map((row) => row.folder)

async function rescanLease(given: StoreTest) {
  return leaseOf(await runningRun(given, 'rescan', { operation: 'rescan' }))
}

export function pointsGroup(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: the catalog of points', () => {
    test('a workload without points has an empty catalog', async (given) => {
      const { points, inUse } = await catalogOf(given)
      assert.deepEqual([points, inUse], [[], []])
      assert.deepEqual(await collect(given.store.points.workloads(repository, given.options)), [])
    })
    test('points are kept field by field, per repository and workload', async (given) => {
      const rows = [
        point('p1', { sequence: 1 }),
        point('p2', { sequence: 2, parents: ['p1'], summary: { deep: [{ text: 'ü' }] } }),
        point('p2', { sequence: 2, number: 3 }),
      ]
      const elsewhere = [point('p1', { repository: 'other' }), point('q1', { workload: 'docker/else' })]
      await commitPoints(given, [...rows, ...elsewhere])
      assert.deepEqual(
        (await catalogOf(given)).points,
        rows.map((row) => ({ ...row, condemned: false, flags: {} })),
      )
      const other = await given.store.points.catalog('other', workload, given.options)
      assert.deepEqual(
        other.points.map((row) => row.folder),
        ['p1'],
      )
      const workloads = await collect(given.store.points.workloads(repository, given.options))
      assert.deepEqual(workloads.sort(), ['docker/else', workload])
    })
    test('committing the same point again changes nothing', async (given) => {
      await commitPoints(given, [point('p1')])
      const before = await catalogOf(given)
      await commitPoints(given, [point('p1')], 'again')
      assert.deepEqual(await catalogOf(given), before)
    })
    test('versions are per workload', async (given) => {
      const before = await versionOf(given)
      await commitPoints(given, [point('p1', { workload: 'docker/else' })], 'else')
      assert.equal(await versionOf(given), before)
      await commitPoints(given, [point('p2')])
      assert.ok((await versionOf(given)) > before)
    })
    test('inUse names reads and targets of all unfinished runs', async (given) => {
      const { store, options } = given
      await commitPoints(given, [point('p1'), point('p2')])
      const reader = await runningRun(given, 'reader', { workload: 'docker/else' })
      const writer = await runningRun(given, 'writer')
      await store.runs.save(leaseOf(reader), { reads: [manifest('p1'), manifest('p2')] }, options)
      await store.runs.save(leaseOf(writer), { target: manifest('p3', 7) }, options)
      const names = async () => (await catalogOf(given)).inUse.map((ref) => `${ref.repository}/${ref.folder}/${ref.number}`).sort()
      assert.deepEqual(await names(), ['main/p1/1', 'main/p2/1', 'main/p3/7'])
      await store.runs.finish(leaseOf(reader), { state: 'queued', delay: 0, failure: true }, [], [], options)
      assert.deepEqual(await names(), ['main/p3/7'])
    })
  })
  syncTests(options)
  flagTests(options)
  condemnTests(options)
}

function syncTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: rescan', () => {
    test('sync adds what was found with its flags and removes what is gone', async (given) => {
      await commitPoints(given, [point('p1'), point('p2')])
      const lease = await rescanLease(given)
      const version = await versionOf(given)
      const flags = { pin: 'keep', holdUntil: 5, quarantine: 'bad', verifiedAt: 7 }
      const add = [found(point('p3', { sequence: 3 }), flags), found(point('p2', { sequence: 2 }))]
      const { store, options } = given
      assert.equal(await store.points.sync(lease, repository, workload, version, add, [manifest('p1')], options), true)
      const { points, version: after } = await catalogOf(given)
      assert.deepEqual(
        points,
        add.toReversed().map((row) => ({ ...row, condemned: false })),
      )
      assert.ok(after > version)
    })
    test('sync of what is known already changes nothing, not even the version', async (given) => {
      await commitPoints(given, [point('p1')])
      await given.store.points.flag(repository, 'p1', { pin: 'keep' }, given.options)
      const lease = await rescanLease(given)
      const before = await catalogOf(given)
      const add = [found(point('p1'), { pin: 'keep' })]
      const { store, options } = given
      assert.equal(await store.points.sync(lease, repository, workload, before.version, add, [manifest('p9')], options), true)
      assert.deepEqual(await catalogOf(given), before)
    })
    test('sync against an old version does nothing and answers false', async (given) => {
      const lease = await rescanLease(given)
      const version = await versionOf(given)
      await commitPoints(given, [point('p1')])
      const { store, options } = given
      assert.equal(await store.points.sync(lease, repository, workload, version, [found(point('p2'))], [manifest('p1')], options), false)
      assert.deepEqual(await foldersOf(given), ['p1'])
    })
    test('sync leaves condemned rows alone', async (given) => {
      await commitPoints(given, [point('p1'), point('p2')])
      await condemnPoints(given, [manifest('p1'), manifest('p2')])
      const lease = await rescanLease(given)
      const before = await catalogOf(given)
      const { store, options } = given
      const add = [found(point('p1', { summary: 'new' }), { pin: 'p' })]
      await store.points.sync(lease, repository, workload, before.version, add, [manifest('p2')], options)
      assert.deepEqual((await catalogOf(given)).points, before.points)
    })
    test('sync leaves targets of unfinished runs alone', async (given) => {
      const { store, options } = given
      await commitPoints(given, [point('p1')])
      await store.runs.save(leaseOf(await runningRun(given, 'one')), { target: manifest('p1') }, options)
      await store.runs.save(leaseOf(await runningRun(given, 'two')), { target: manifest('p2') }, options)
      const lease = await rescanLease(given)
      await store.points.sync(lease, repository, workload, await versionOf(given), [found(point('p2'))], [manifest('p1')], options)
      assert.deepEqual(await foldersOf(given), ['p1'])
    })
    test('sync removes flags that are set no more', async (given) => {
      await commitPoints(given, [point('p1')])
      await given.store.points.flag(repository, 'p1', { pin: 'keep', verifiedAt: 3 }, given.options)
      const lease = await rescanLease(given)
      const { store, options } = given
      await store.points.sync(lease, repository, workload, await versionOf(given), [found(point('p1'), { verifiedAt: 4 })], [], options)
      assert.deepEqual((await catalogOf(given)).points[0]?.flags, { verifiedAt: 4 })
    })
    test('a point that comes back has no flags of its former life', async (given) => {
      await commitPoints(given, [point('p1')])
      await given.store.points.flag(repository, 'p1', { pin: 'keep' }, given.options)
      const lease = await rescanLease(given)
      const { store, options } = given
      await store.points.sync(lease, repository, workload, await versionOf(given), [], [manifest('p1')], options)
      await commitPoints(given, [point('p1')], 'again')
      assert.deepEqual((await catalogOf(given)).points[0]?.flags, {})
    })
  })
}

function flagTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: flags', () => {
    test('flag changes the named flags only, null removes; each change raises the version', async (given) => {
      await commitPoints(given, [point('p1'), point('p1', { number: 2 }), point('p2')])
      const flag = async (patch: Parameters<typeof given.store.points.flag>[2]) => {
        const before = await versionOf(given)
        await given.store.points.flag(repository, 'p1', patch, given.options)
        const { points, version } = await catalogOf(given)
        assert.ok(version > before)
        return points.map((row) => row.flags)
      }
      assert.deepEqual(await flag({ pin: 'keep', verifiedAt: 3 }), [{ pin: 'keep', verifiedAt: 3 }, { pin: 'keep', verifiedAt: 3 }, {}])
      assert.deepEqual(await flag({ holdUntil: 9, pin: null }), [{ verifiedAt: 3, holdUntil: 9 }, { verifiedAt: 3, holdUntil: 9 }, {}])
      assert.deepEqual(await flag({ verifiedAt: null, holdUntil: null }), [{}, {}, {}])
    })
    test('a condemned point takes no flag; one with a number that lives on does', async (given) => {
      await commitPoints(given, [point('p1'), point('p2'), point('p2', { number: 2 })])
      await condemnPoints(given, [manifest('p1'), manifest('p2')])
      await rejectsWith('POINT_CONDEMNED', given.store.points.flag(repository, 'p1', { pin: 'late' }, given.options))
      await given.store.points.flag(repository, 'p2', { pin: 'fine' }, given.options)
      assert.deepEqual(
        (await catalogOf(given)).points.map((row) => row.flags),
        [{}, { pin: 'fine' }, { pin: 'fine' }],
      )
    })
    test('an unknown point takes no flag', async (given) => {
      await assert.rejects(given.store.points.flag(repository, 'p1', { pin: 'x' }, given.options))
    })
    test('a run sets a flag under its lease', async (given) => {
      await commitPoints(given, [point('p1')])
      const lease = leaseOf(await runningRun(given, 'verify', { operation: 'verify' }))
      await given.store.points.flag(repository, 'p1', { verifiedAt: 12 }, { ...given.options, lease })
      assert.deepEqual((await catalogOf(given)).points[0]?.flags, { verifiedAt: 12 })
    })
  })
}

function condemnTests(options: StoreContractOptions): void {
  const test = storeTestCase(options)
  options.describe('store: prune', () => {
    test('condemn marks exactly the named manifests and raises the version', async (given) => {
      await commitPoints(given, [point('p1', { sequence: 1 }), point('p2', { sequence: 2 }), point('p2', { sequence: 2, number: 2 })])
      const before = await versionOf(given)
      await condemnPoints(given, [manifest('p1'), manifest('p2')])
      const { points, version } = await catalogOf(given)
      assert.deepEqual(
        points.map((row) => row.condemned),
        [true, true, false],
      )
      assert.ok(version > before)
      assert.deepEqual(await collect(given.store.points.workloads(repository, given.options)), [workload])
    })
    test('condemn against an old version does nothing and answers false', async (given) => {
      const { store, options } = given
      await commitPoints(given, [point('p1')])
      const lease = leaseOf(await runningRun(given, 'prune'))
      const changes: readonly (() => Promise<unknown>)[] = [
        () => commitPoints(given, [point('p2')]),
        () => store.points.flag(repository, 'p1', { pin: 'keep' }, options),
        async () => store.runs.save(leaseOf(await runningRun(given, 'reader')), { reads: [manifest('p1')] }, options),
        async () => store.runs.save(leaseOf(await runningRun(given, 'writer')), { target: manifest('p1', 2) }, options),
      ]
      for (const change of changes) {
        const version = await versionOf(given)
        await change()
        assert.equal(await store.points.condemn(lease, repository, workload, version, [manifest('p1')], options), false)
      }
      assert.ok((await catalogOf(given)).points.every((row) => !row.condemned))
    })
    test('condemning an unknown manifest is refused, and the others of the call with it', async (given) => {
      await commitPoints(given, [point('p1'), point('q1', { workload: 'docker/else' })])
      const lease = leaseOf(await runningRun(given, 'prune'))
      const version = await versionOf(given)
      for (const wrong of [manifest('p9'), manifest('q1')]) {
        const call = given.store.points.condemn(lease, repository, workload, version, [manifest('p1'), wrong], given.options)
        await rejectsWith('NOT_FOUND', call)
      }
      assert.deepEqual(
        (await catalogOf(given)).points.map((row) => row.condemned),
        [false],
      )
    })
    test('condemned is for good: condemning again is no change', async (given) => {
      await commitPoints(given, [point('p1')])
      const lease = leaseOf(await runningRun(given, 'prune'))
      await condemnPoints(given, [manifest('p1')], lease)
      const before = await catalogOf(given)
      await condemnPoints(given, [manifest('p1')], lease)
      assert.deepEqual(await catalogOf(given), before)
    })
    test('forget removes condemned rows only, raises the version, and may be repeated', async (given) => {
      await commitPoints(given, [point('p1'), point('p2')])
      const lease = leaseOf(await runningRun(given, 'prune'))
      await condemnPoints(given, [manifest('p1')], lease)
      const before = await versionOf(given)
      const forget = () => given.store.points.forget(lease, [manifest('p1'), manifest('p2'), manifest('p9')], given.options)
      await forget()
      await forget()
      assert.deepEqual(await foldersOf(given), ['p2'])
      assert.ok((await versionOf(given)) > before)
    })
    test('a race of condemn and save: one of them sees the other', async (given) => {
      const { store, options } = given
      for (let round = 0; round < 5; round++) {
        const folder = `p${round}`
        await commitPoints(given, [point(folder)])
        const [pruner, reader] = [await runningRun(given, `prune-${round}`), await runningRun(given, `read-${round}`)]
        const version = await versionOf(given)
        const [condemned, read] = await Promise.all([
          store.points.condemn(leaseOf(pruner), repository, workload, version, [manifest(folder)], options),
          store.runs.save(leaseOf(reader), { reads: [manifest(folder)] }, options).then(
            () => true,
            () => false,
          ),
        ])
        assert.notEqual(condemned, read)
      }
    })
  })
}
