import type { CallOptions } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { disksOf } from '../inventory/disks.ts'
import { type MachineProperties, readMachines } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { obstaclesOf } from '../inventory/obstacles.ts'
import type { MoRef } from '../vim25/values.ts'

/** What a host has, in numbers. */
export interface Survey {
  readonly machines: number
  readonly templates: number
  readonly running: number
  /** That the host cannot read. */
  readonly unread: number
  /** How many devices there are of each class, and backings of disks. */
  readonly devices: { readonly [type: string]: number }
  /** How many machines have each kind of obstacle. */
  readonly obstacles: { readonly [kind: string]: number }
  /** Names of machines, with their obstacles; only when they were asked for. */
  readonly names?: { readonly [machine: string]: readonly string[] }
}

/** A machine whose settings can be asked for in parts: for a trial of ranges. */
export interface Sample {
  readonly file: string
  readonly folder: MoRef
}

function add(counts: Map<string, number>, keys: Iterable<string>): void {
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
}

function deviceTypes(properties: MachineProperties): readonly string[] {
  return (properties['config.hardware.device'] ?? []).flatMap(({ $type, backing }) => [
    $type ?? 'unknown',
    ...($type === 'VirtualDisk' && backing !== undefined ? [backing.$type ?? 'unknown'] : []),
  ])
}

/** Looks at all machines. Reads only. */
export async function survey(
  { session }: Connection,
  options: CallOptions & { readonly names: boolean },
): Promise<{ readonly counted: Survey; readonly sample: Sample | undefined }> {
  const { signal } = options
  const [devices, obstacles] = [new Map<string, number>(), new Map<string, number>()]
  const names: { [machine: string]: readonly string[] } = {}
  let [machines, templates, running, unread] = [0, 0, 0, 0]
  let sample: Sample | undefined
  for await (const { ref, properties } of readMachines(session, { signal })) {
    const all = properties['config.hardware.device']
    const found = obstaclesOf(properties, disksOf(all ?? [])).map(({ kind }) => kind)
    machines += 1
    if (properties['config.template'] === true) templates += 1
    if (properties['runtime.powerState'] === 'poweredOn') running += 1
    if (all === undefined) unread += 1
    add(devices, deviceTypes(properties))
    add(obstacles, new Set(found))
    names[decodeName(properties.name ?? ref.value)] = found
    const file = properties['config.files.vmPathName']
    if (file !== undefined) sample ??= { file, folder: ref }
  }
  const counted = { machines, templates, running, unread, devices: Object.fromEntries(devices), obstacles: Object.fromEntries(obstacles) }
  return { counted: { ...counted, ...(options.names && { names }) }, sample }
}
