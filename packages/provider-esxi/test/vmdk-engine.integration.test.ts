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
  type SimulatedMachine,
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
const seed = 20_261_122
const random = seededRandom(seed)

let folder = ''
let source: EsxiSimulator
let target: EsxiSimulator
let engine: Engine
let contents: Uint8Array[] = []

/** Half a disk that cannot be packed, as a guest fills it. */
function filledDisk(): Uint8Array {
  const bytes = new Uint8Array(diskBytes)
  bytes.set(random.bytes(diskBytes / 2), 1024 * 1024)
  return bytes
}

const providerOf = ({ host, port, thumbprint }: EsxiSimulator) =>
  esxi({ host, port, user: 'root', password: 'simulated', thumbprint: thumbprint() })

const machineOn = (simulator: EsxiSimulator, name: string): SimulatedMachine => {
  const machine = simulator.machine(name)
  if (machine === undefined) throw new Error(`there is no machine ${name}`)
  return machine
}

function writeDisk(index: number, at: number, bytes: Uint8Array): void {
  const disk = machineOn(source, 'web').hardware.disks[index]
  const next = Uint8Array.from(contents[index] ?? [])
  if (disk === undefined) throw new Error('there is no such disk')
  next.set(bytes, at)
  contents[index] = next
  disk.content = { size: next.length, open: () => memoryMappedBlocks(next, { readers: 4 }) }
}

async function points(): Promise<readonly OpenPoint[]> {
  const meter = createProgressMeter({ clock: systemClock })
  const repository = await openOffline({ repository: localRepository({ folder }), clock: systemClock, ...never })
  expect([repository.findings, repository.unreadable]).toEqual([[], []])
  const sorted = repository.points.toSorted((one, other) => one.sequence - other.sequence)
  return Promise.all(sorted.map((point) => repository.open(point, { ...never, meter })))
}

const formsOf = ({ manifest }: OpenPoint) => manifest.items.flatMap((item) => (item.type === 'disk' ? [`${item.format} ${item.form}`] : []))

beforeEach(async () => {
  console.log(`seed ${seed}`)
  folder = await mkdtemp(join(tmpdir(), 'holdfast-vmdk-'))
  contents = [filledDisk(), filledDisk()]
  const disks = contents.map((content) => ({ content }))
  source = await startEsxiSimulator({ machines: [{ name: 'web', uuid, powerState: 'poweredOn', firmware: 'efi', disks }] })
  target = await startEsxiSimulator()
  engine = await createEngine({
    name: 'test',
    system: 'test-system',
    store: memoryStore({ clock: systemClock, ids: countingIds('store') }),
    repositories: { main: localRepository({ folder }) },
    providers: { lab: providerOf(source), other: providerOf(target) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [workload], options: { mode: 'vmdk' } } },
    retry: { maxFailures: 2, delayMs: 10 },
  })
  await engine.start()
})

afterEach(async () => {
  await engine.stop()
  await source[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

describe('an engine that reads flat files', () => {
  it('makes a full and an increment that stores little, and restores on another host a machine with the same disks and NVRAM', async () => {
    await engine.runPlan('nightly')
    await until('the snapshot is gone', () => machineOn(source, 'web').snapshots.length === 0)
    writeDisk(0, 2 * 1024 * 1024, random.bytes(65_536))
    source.files.script('web/web-flat.vmdk', { does: 'cut', afterBytes: 1_000_000 })
    await engine.runPlan('nightly')
    await until('the snapshot is gone', () => machineOn(source, 'web').snapshots.length === 0)

    const made = await points()
    expect(made.map(formsOf)).toEqual([
      ['qcow2 full', 'qcow2 full'],
      ['qcow2 incremental', 'qcow2 incremental'],
    ])
    const [full, increment] = made.map(({ manifest }) => manifest.bytes.stored)
    expect(increment ?? Number.POSITIVE_INFINITY).toBeLessThan((full ?? 0) / 10)
    expect(made.map(({ manifest }) => manifest.consistency)).toEqual(['quiesced', 'quiesced'])

    await engine.restore(workload, { provider: 'other', name: 'copy' })
    const copy = machineOn(target, 'copy')
    for (const [index, { content }] of copy.hardware.disks.entries())
      expect(Buffer.compare(await readBlocks(content.open(), never), contents[index] ?? new Uint8Array())).toBe(0)
    expect(copy.hardware.disks).toHaveLength(2)
    expect(Buffer.compare(copy.settings.nvram, machineOn(source, 'web').settings.nvram)).toBe(0)
    expect(copy.settings.firmware).toBe('efi')
    expect([source.leases.transfers, source.leases.open.size, target.leases.open.size]).toEqual([[], 0, 0])
  })
})
