import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, localRepository, systemClock } from '@holdfast/core'
import { createProgressMeter, openOffline } from '@holdfast/core/offline'
import {
  countingIds,
  type EsxiSimulator,
  memoryMappedBlocks,
  memoryStore,
  type SimulatedMachine,
  seededRandom,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { esxi } from '../src/index.ts'
import { changeDisks, contentsOf, machineNamed } from './support/changing-machine.ts'
import { until } from './support/export-host.ts'
import { loginOf } from './support/simulated-connection.ts'

const never = { signal: new AbortController().signal }
const seed = Number(process.env.HOLDFAST_SEED ?? 27)
const uuid = '564d0000-0000-0000-0000-000000000001'
const workload = { provider: 'lab', id: uuid }
const [mebibyte, cluster] = [1024 * 1024, 65_536]
const provisioned = (24 + 8) * mebibyte
const changedClusters = 3

let folder = ''
let random = seededRandom(seed)
let source: EsxiSimulator
let target: EsxiSimulator
let engine: Engine

function filled(mebibytes: number) {
  const content = new Uint8Array(mebibytes * mebibyte)
  for (let at = 0; at < content.length; at += 4 * mebibyte) content.set(random.bytes(2 * mebibyte), at)
  return { content }
}

const web = (): SimulatedMachine => machineNamed(source, 'web')
const points = async () => (await engine.points({ repository: 'main', workload })).toReversed()

/** What the repository alone says of all points, oldest first. */
async function manifests() {
  const repository = await openOffline({ repository: localRepository({ folder }), clock: systemClock, ...never })
  expect([repository.findings, repository.unreadable]).toEqual([[], []])
  const meter = createProgressMeter({ clock: systemClock })
  const sorted = repository.points.toSorted((one, other) => one.sequence - other.sequence)
  return Promise.all(sorted.map(async (point) => (await repository.open(point, { ...never, meter })).manifest))
}

const formsOf = async () => (await points()).map(({ summary }) => summary.disks?.map(({ form }) => form))

/** The guest works, and the plan is run. Gives what the machine held then. */
async function night(clusters = changedClusters): Promise<readonly Uint8Array[]> {
  if (clusters > 0) await changeDisks(web(), clusters, random)
  const contents = await contentsOf(web())
  await engine.runPlan('nightly')
  await until('the snapshot is gone', () => web().snapshots.length === 0)
  return contents
}

/** Bytes of flat files that were asked for so far, samples among them, which the engine does not count. */
const askedFor = (): number =>
  source.files.requests
    .map((text) => /-flat\.vmdk (\d+)-(\d+)$/.exec(text))
    .reduce((sum, range) => sum + (range === null ? 0 : Number(range[2]) - Number(range[1]) + 1), 0)

/** The last of the points, or all of them, hold what the machine held. */
async function expectRestores(moments: readonly (readonly Uint8Array[])[], last = moments.length): Promise<void> {
  for (const [index, { id }] of (await points()).entries()) {
    if (index < moments.length - last) continue
    await engine.restore(workload, { provider: 'other', point: id, name: `copy-${index}` })
    const restored = await contentsOf(machineNamed(target, `copy-${index}`))
    expect(
      restored.map((bytes, disk) => Buffer.compare(bytes, moments[index]?.[disk] ?? new Uint8Array())),
      `point ${index}`,
    ).toEqual([0, 0])
  }
}

async function start(options: { readonly mode?: 'vmdk'; readonly powerState?: 'poweredOff' } = {}): Promise<void> {
  const { powerState = 'poweredOn', mode } = options
  source = await startEsxiSimulator({ machines: [{ name: 'web', uuid, powerState, firmware: 'efi', disks: [filled(24), filled(8)] }] })
  target = await startEsxiSimulator()
  engine = await createEngine({
    name: 'test',
    system: 'test-system',
    store: memoryStore({ clock: systemClock, ids: countingIds('store') }),
    repositories: { main: localRepository({ folder }) },
    providers: { lab: esxi(loginOf(source)), other: esxi(loginOf(target)) },
    plans: {
      nightly: {
        kind: 'backup',
        repository: 'main',
        workloads: [workload],
        chain: { maxIncrementals: 20 },
        options: { experimental: { changedAreas: true }, ...(mode !== undefined && { mode }) },
      },
    },
    retry: { maxFailures: 1, delayMs: 10 },
  })
  await engine.start()
}

beforeEach(async () => {
  console.log(`seed ${seed}`)
  random = seededRandom(seed)
  folder = await mkdtemp(join(tmpdir(), 'holdfast-areas-'))
})

afterEach(async () => {
  await engine.stop()
  expect([source.sessions(), source.leases.open.size]).toEqual([0, 0])
  await source[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

describe('an engine whose increments read changed areas', () => {
  it.each([
    { name: 'a running machine that is exported', options: {}, restored: 4 },
    { name: 'a machine that is off', options: { powerState: 'poweredOff' as const }, restored: 1 },
    { name: 'the mode vmdk', options: { mode: 'vmdk' as const }, restored: 1 },
  ])(
    '27: makes a full and three increments of $name; few bytes come, and all restore byte for byte',
    { timeout: 240_000 },
    async ({ options, restored }) => {
      await start(options)
      const moments = [await night(0)]
      const before = askedFor()
      moments.push(await night(), await night(), await night())
      const asked = Math.round((askedFor() - before) / 3)
      const made = await manifests()
      expect(await formsOf()).toEqual([['full', 'full'], ...[1, 2, 3].map(() => ['incremental', 'incremental'])])
      expect(made.map(({ warnings }) => warnings)).toEqual([[], [], [], []])
      const [first = 0, ...others] = made.map(({ bytes }) => bytes.transferred)
      console.info(`bytes transferred: ${[first, ...others].join(', ')} of ${provisioned}; with samples ${asked} for each increment`)
      expect(first).toBeGreaterThan(provisioned / 3)
      expect(asked).toBeLessThan(first / 4)
      for (const bytes of others) expect(bytes).toBeLessThan(2 * changedClusters * cluster + 2 * cluster)
      const { byForm } = await engine.savings({ plan: 'nightly' })
      console.info(byForm.map(({ form, bytes }) => `${form}: ${bytes.transferred}`).join(', '))
      expect(byForm.map(({ bytes }) => bytes.transferred).reduce((sum, bytes) => sum + bytes, 0)).toBe(
        [first, ...others].reduce((sum, bytes) => sum + bytes, 0),
      )
      await expectRestores(moments, restored)
      expect(source.calls.filter((name) => name === 'ReconfigVM_Task')).toHaveLength(1)
      expect(source.calls.filter((name) => name === 'QueryChangedDiskAreas').length).toBeGreaterThanOrEqual(4 * 8)
    },
  )

  it('28: reads everything by a lease in the same run when tracking has lied, and all points are right', { timeout: 240_000 }, async () => {
    await start()
    const moments = [await night(0), await night()]
    const [disk] = web().hardware.disks
    if (disk === undefined) throw new Error('there is no disk')
    disk.tracking.forge = () => []
    // Everything is another one, so that it is seen whatever is remembered.
    const next = Buffer.alloc(disk.content.size, random.bytes(4099))
    disk.content = { size: next.length, open: () => memoryMappedBlocks(next, { readers: 4 }) }
    moments.push(await night(0))
    disk.tracking.forge = undefined
    moments.push(await night())
    const made = await manifests()
    expect(await formsOf()).toEqual([['full', 'full'], ...[1, 2, 3].map(() => ['incremental', 'incremental'])])
    expect(made.map(({ warnings }) => warnings.map(({ code }) => code))).toEqual([
      [],
      [],
      ['CHANGED_AREAS_WRONG'],
      ['CHANGED_AREAS_NOT_USED'],
    ])
    expect(source.calls.filter((name) => name === 'ExportSnapshot')).toHaveLength(3)
    expect(source.calls.filter((name) => name === 'CreateSnapshot_Task')).toHaveLength(4)
    await expectRestores(moments, 2)
  })

  it('20: makes a full in the same attempt when the file is locked in the middle of an increment', { timeout: 240_000 }, async () => {
    await start()
    const moments = [await night(0)]
    // The descriptor is read for the probe, for the samples, and when the disk is handed over.
    const { files } = source
    for (let count = 0; count < 2; count += 1) files.script('web/web.vmdk', { does: 'call', call: () => {} })
    const lock = () => files.script('web/web-flat.vmdk', { does: 'status', status: 500, always: true })
    files.script('web/web.vmdk', { does: 'call', call: lock })
    moments.push(await night())
    const made = await manifests()
    expect(await formsOf()).toEqual([
      ['full', 'full'],
      ['full', 'full'],
    ])
    expect(made[1]?.warnings).toMatchObject([
      { code: 'BASE_LOST', message: expect.stringContaining('HTTP 500') },
      { code: 'CHANGED_AREAS_NOT_USED', message: expect.stringContaining('HTTP 500') },
    ])
    await expectRestores(moments, 1)
  })
})
