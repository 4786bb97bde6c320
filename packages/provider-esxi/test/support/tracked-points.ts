import type { BackupRequest, BackupResult, Json } from '@holdfast/core/spec'
import {
  type CollectedItem,
  type MachineOptions,
  type MemoryRun,
  memoryMappedBlocks,
  type SimulatedDisk,
  type SimulatedMachine,
  seededRandom,
} from '@holdfast/testkit'
import { backupRun } from './backup-run.ts'
import { type ExportHost, type ExportHostOptions, exportHost } from './export-host.ts'

export const trackedId = '564d0000-0000-0000-0000-000000000001'
export const clusterBytes = 65_536
const diskBytes = [4 * 1024 * 1024, 1024 * 1024] as const

/** A point of a machine whose increments read changed areas, as one backup after the other makes them. */
export interface TrackedPoint {
  readonly result: BackupResult
  readonly items: readonly CollectedItem[]
  readonly notes: MemoryRun['notes']
  /** How each disk was handed over. */
  readonly covers: readonly string[]
  /** What each disk held at the point. */
  readonly disks: readonly Uint8Array[]
  /** What was asked for of the flat files while it was made: first and last byte. */
  readonly ranges: readonly (readonly [path: string, first: number, last: number])[]
  /** Calls that were made for it. */
  readonly calls: readonly string[]
  readonly base: NonNullable<BackupRequest['base']>
}

export const random = seededRandom(28)

/** Bytes that are no others, quickly. */
export const noise = (length: number): Uint8Array => Buffer.alloc(length, random.bytes(4099))

/** A host with a machine of two disks, which runs. */
export function trackedHost(machine: Partial<MachineOptions> = {}, options: ExportHostOptions = {}): Promise<ExportHost> {
  const disks = diskBytes.map((bytes) => ({ content: noise(bytes) }))
  return exportHost({ machines: [{ name: 'web', uuid: trackedId, powerState: 'poweredOn', disks, ...machine }], ...options })
}

export function webOn({ simulator }: ExportHost): SimulatedMachine {
  const machine = simulator.machine('web')
  if (machine === undefined) throw new Error('the machine is gone')
  return machine
}

export function diskOn(host: ExportHost, index = 0): SimulatedDisk {
  const disk = webOn(host).hardware.disks[index]
  if (disk === undefined) throw new Error(`there is no disk ${index}`)
  return disk
}

export async function bytesOn(host: ExportHost, index = 0): Promise<Uint8Array> {
  const { content } = diskOn(host, index)
  const bytes = new Uint8Array(content.size)
  await using blocks = content.open()
  await blocks.readInto(bytes, 0, { signal: new AbortController().signal })
  return bytes
}

/** The guest writes. */
export async function write(host: ExportHost, at: number, bytes: Uint8Array, index = 0): Promise<void> {
  const next = Uint8Array.from(await bytesOn(host, index))
  next.set(bytes, at)
  diskOn(host, index).content = { size: next.length, open: () => memoryMappedBlocks(next, { readers: 4 }) }
}

export const trackedOptions = { mode: 'vmdk', experimental: { changedAreas: true } } as const

/** Makes a point, and removes its snapshot. */
export async function makePoint(
  host: ExportHost,
  previous?: TrackedPoint,
  {
    options = trackedOptions,
    checkpoint,
    duringItem = async () => {},
  }: { readonly options?: Json; readonly checkpoint?: Json; readonly duringItem?: () => Promise<void> } = {},
): Promise<TrackedPoint> {
  const { requests } = host.simulator.files
  const [requestsBefore, callsBefore] = [requests.length, host.simulator.calls.length]
  const backup = backupRun(host, trackedId, { duringItem, ...(previous !== undefined && { base: previous.items }) })
  const base = previous && { ...previous.base, ...(checkpoint !== undefined && { checkpoint }) }
  try {
    const result = await backup.start(options, base === undefined ? {} : { base })
    const disks = backup.items.flatMap((item) => (item.type === 'disk' ? [item] : []))
    const sorted = disks.toSorted((one, other) => one.disk.name.localeCompare(other.disk.name))
    return {
      result,
      items: backup.items,
      notes: backup.memory.notes,
      covers: sorted.map(({ covers }) => covers),
      disks: sorted.map(({ bytes }) => bytes),
      ranges: requests.slice(requestsBefore).flatMap((text) => {
        const [, path = '', first, last] = /^(\S+-flat\.vmdk) (\d+)-(\d+)$/.exec(text) ?? []
        return path === '' ? [] : [[path, Number(first), Number(last)] as const]
      }),
      calls: host.simulator.calls.slice(callsBefore),
      base: {
        ...(result.checkpoint !== undefined && { checkpoint: result.checkpoint }),
        disks: sorted.map(({ disk }) => ({ key: disk.key, size: disk.size })),
      },
    }
  } finally {
    await backup.memory.undoOpen()
  }
}

/** Whether a point holds what the disks of the machine hold now. */
export async function holdsAll(host: ExportHost, { disks }: TrackedPoint): Promise<readonly boolean[]> {
  const now = await Promise.all(webOn(host).hardware.disks.map((_disk, index) => bytesOn(host, index)))
  return now.map((bytes, index) => Buffer.compare(bytes, disks[index] ?? new Uint8Array()) === 0)
}

/** The reasons that were noted for reading everything. */
export const reasonsIn = ({ notes }: TrackedPoint): readonly string[] =>
  notes.flatMap(({ level, code, message }) => (level === 'warning' && code.startsWith('CHANGED_AREAS') ? [`${code} ${message}`] : []))
