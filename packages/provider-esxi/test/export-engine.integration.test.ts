import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, type Engine, localRepository, systemClock } from '@holdfast/core'
import { createProgressMeter, type OpenPoint, openOffline } from '@holdfast/core/offline'
import {
  countingIds,
  type EsxiSimulator,
  memoryMappedBlocks,
  memoryStore,
  readBlocks,
  seededRandom,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { esxi } from '../src/index.ts'
import { until } from './support/export-host.ts'

const never = { signal: new AbortController().signal }
const uuid = '564d0000-0000-0000-0000-000000000001'
const workload = { provider: 'lab', id: uuid }
const diskBytes = 8 * 1024 * 1024

let folder = ''
let simulator: EsxiSimulator
let engine: Engine
const seed = 20_261_122
const random = seededRandom(seed)

/** Half a disk that cannot be packed, as a guest fills it. */
function firstDisk(): Uint8Array {
  const bytes = new Uint8Array(diskBytes)
  bytes.set(random.bytes(diskBytes / 2), 1024 * 1024)
  return bytes
}

async function open(): Promise<void> {
  const { host, port, thumbprint } = simulator
  engine = await createEngine({
    name: 'test',
    system: 'test-system',
    store: memoryStore({ clock: systemClock, ids: countingIds('store') }),
    repositories: { main: localRepository({ folder }) },
    providers: { lab: esxi({ host, port, user: 'root', password: 'simulated', thumbprint: thumbprint() }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [workload] } },
    retry: { maxFailures: 2, delayMs: 10 },
  })
  await engine.start()
}

async function points(): Promise<readonly OpenPoint[]> {
  const meter = createProgressMeter({ clock: systemClock })
  const repository = await openOffline({ repository: localRepository({ folder }), clock: systemClock, ...never })
  expect([repository.findings, repository.unreadable]).toEqual([[], []])
  const sorted = repository.points.toSorted((one, other) => one.sequence - other.sequence)
  return Promise.all(sorted.map((point) => repository.open(point, { ...never, meter })))
}

async function disksOf({ source }: OpenPoint): Promise<readonly Uint8Array[]> {
  return Promise.all(
    source.disks.map(async (disk) => {
      const blocks = await disk.open(never)
      return readBlocks(blocks, never).finally(() => blocks[Symbol.asyncDispose]())
    }),
  )
}

const web = () => {
  const machine = simulator.machine('web')
  if (machine === undefined) throw new Error('the machine is gone')
  return machine
}

function writeDisk(index: number, at: number, bytes: Uint8Array): void {
  const disk = web().hardware.disks[index]
  if (disk === undefined) throw new Error('there is no such disk')
  const next = Uint8Array.from(contents[index] ?? [])
  next.set(bytes, at)
  contents[index] = next
  disk.content = { size: next.length, open: () => memoryMappedBlocks(next, { readers: 4 }) }
}

let contents: Uint8Array[] = []

beforeEach(async () => {
  console.log(`seed ${seed}`)
  folder = await mkdtemp(join(tmpdir(), 'holdfast-export-'))
  contents = [firstDisk(), firstDisk()]
  simulator = await startEsxiSimulator({
    machines: [{ name: 'web', uuid, powerState: 'poweredOn', firmware: 'efi', disks: contents.map((content) => ({ content })) }],
  })
  await open()
})

afterEach(async () => {
  await engine.stop()
  await simulator[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

describe('an engine with a machine of a simulated host', () => {
  it('29: makes a full and increments of a running machine: every point has the bytes of its moment, and the host is as before', async () => {
    const moments: (readonly Uint8Array[])[] = []
    for (let day = 0; day < 3; day += 1) {
      if (day > 0) writeDisk(0, 2 * 1024 * 1024 + day * 65_536, random.bytes(65_536))
      moments.push([...contents])
      await engine.runPlan('nightly')
      // The snapshot goes after the commit, and delays nobody.
      await until('the snapshot is gone', () => web().snapshots.length === 0)
      expect(simulator.leases.open.size).toBe(0)
    }
    const made = await points()
    expect(made).toHaveLength(3)
    for (const [day, point] of made.entries()) {
      const disks = await disksOf(point)
      expect(disks.map((bytes, index) => Buffer.compare(bytes, moments[day]?.[index] ?? new Uint8Array()))).toEqual([0, 0])
    }
    const forms = made.map(({ manifest }) =>
      manifest.items.filter((item) => item.type === 'disk' || item.disk !== undefined).map((item) => item.form),
    )
    expect(forms).toEqual([
      ['kept', 'kept'],
      ['incremental', 'incremental'],
      ['incremental', 'incremental'],
    ])
    const [full, first] = made.map(({ manifest }) => manifest.bytes)
    expect(full).toMatchObject({ provisioned: expect.any(Number), used: expect.any(Number) })
    expect(first?.stored ?? 0).toBeLessThan((full?.stored ?? 0) / 10)
    expect(made.map(({ manifest }) => manifest.consistency)).toEqual(['quiesced', 'quiesced', 'quiesced'])
    await engine.stop()
    expect(simulator.sessions()).toBe(0)
  })

  it('of which a disk is independent: the point says so, and is restored with what it holds', async () => {
    const disk = web().hardware.disks[1]
    if (disk === undefined) throw new Error('there is no such disk')
    Object.assign(disk, { mode: 'independent_persistent' })
    await engine.runPlan('nightly')
    const [point] = await points()
    expect(point?.manifest.skipped).toMatchObject([{ name: expect.stringContaining('Hard disk 2') }])
    expect(point?.manifest.warnings).toMatchObject([{ code: 'DISK_LEFT_OUT' }])
    await engine.restore(workload, { name: 'restored' })
    expect(simulator.machine('restored')?.hardware.disks).toHaveLength(1)
  })

  it('34: takes no disk that ended too early for a whole one, and tries again with a new lease', async () => {
    simulator.leases.script('disk-0.vmdk', { does: 'end', afterBytes: 1_000_000 })
    await engine.runPlan('nightly')
    const codes: (string | undefined)[] = []
    for await (const run of engine.runs()) codes.push(run.state)
    expect(codes).toEqual(['succeeded'])
    expect(simulator.leases.transfers.filter((one) => one === 'GET disk-0.vmdk')).toHaveLength(2)
    const [point] = await points()
    expect(Buffer.compare((await disksOf(point as OpenPoint))[0] ?? new Uint8Array(), contents[0] ?? new Uint8Array())).toBe(0)
    await until('the snapshot is gone', () => web().snapshots.length === 0)
    expect(simulator.leases.open.size).toBe(0)
  })

  it('34: that always ends too early fails with TRUNCATED, and nothing is left', async () => {
    simulator.leases.script('disk-0.vmdk', { does: 'end', afterBytes: 1_000_000, always: true })
    const error = await engine.runPlan('nightly').then(
      () => undefined,
      (failure: unknown) => failure,
    )
    expect(JSON.stringify([error, String((error as Error).cause), String(error)])).toContain('TRUNCATED')
    await until('the snapshot is gone', () => web().snapshots.length === 0)
    expect([await points(), simulator.leases.open.size]).toEqual([[], 0])
  })
})
