import type { CallOptions, Json, Workload } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isOf } from './devices.ts'
import { findInIndex } from './find-machine.ts'
import { type FoundMachine, foundMachine } from './found-machine.ts'
import {
  displayNameOf,
  type MachineIdentity,
  type MachineProperties,
  type Read,
  readIdentities,
  readMachine,
  readMachines,
  workloadIdOf,
} from './machine-properties.ts'
import { obstaclesOf } from './obstacles.ts'
import { createPlaces, type Places } from './places.ts'

/** Machines by id; more than one with an id: the files of a machine were copied. */
type Namesakes = ReadonlyMap<string, readonly Read<MachineIdentity>[]>

async function machinesById({ session }: Connection, options: CallOptions): Promise<Namesakes> {
  const machines = new Map<string, readonly Read<MachineIdentity>[]>()
  for await (const one of readIdentities(session, options)) {
    const id = workloadIdOf(one)
    machines.set(id, [...(machines.get(id) ?? []), one])
  }
  return machines
}

/** Custom attributes, which a vCenter server has. */
function labelsOf({ availableField = [], customValue = [] }: MachineProperties): { readonly [name: string]: string } | undefined {
  const labels = customValue.flatMap((value) => {
    const name = availableField.find(({ key }) => key === value.key)?.name
    return name !== undefined && isOf(value, 'CustomFieldStringValue') && value.value !== '' ? [[name, value.value] as const] : []
  })
  return labels.length === 0 ? undefined : Object.fromEntries(labels)
}

const count = (trees: readonly { readonly childSnapshotList: readonly unknown[] }[]): number =>
  trees.reduce((sum, { childSnapshotList }) => sum + 1 + count(childSnapshotList as typeof trees), 0)

function hardwareOf(found: FoundMachine): { readonly [name: string]: Json } {
  const { disks, networks, machine, toolsRunning, changeTracking, consolidationNeeded, snapshots, template, powerState } = found
  return {
    power: powerState,
    template,
    toolsRunning,
    changeTracking,
    consolidationNeeded,
    snapshots: count(snapshots?.rootSnapshotList ?? []),
    cpus: machine.cpus,
    memoryBytes: machine.memoryBytes,
    firmware: machine.firmware,
    guest: machine.guest,
    disks: disks.map(({ name, slot, sizeBytes, backing, mode, fileName }) => ({
      name,
      slot,
      sizeBytes,
      backing,
      mode,
      ...(fileName !== undefined && { fileName }),
    })),
    networks: networks.map(({ label, name, mac, model, connected }) => ({
      label,
      name,
      model,
      connected,
      ...(mac !== undefined && { mac }),
    })),
    datastores: found.datastores.map(({ name }) => name),
  }
}

const usedBy = ({ 'storage.perDatastoreUsage': usage }: MachineProperties): number | undefined =>
  usage?.reduce((sum, { committed }) => sum + committed, 0)

function namesakesObstacle(namesakes: readonly Read<MachineIdentity>[]): readonly Json[] {
  if (namesakes.length < 2) return []
  const names = namesakes.map(displayNameOf).join(', ')
  const message = `Several machines have this id: ${names}. One is a copy of the files of the other: take it out of the inventory, register it again, and answer "I copied it" when it starts.`
  return [{ kind: 'same-id', message, stops: true }]
}

async function workloadOf(
  read: Read<MachineProperties>,
  namesakes: readonly Read<MachineIdentity>[],
  places: Places,
  options: CallOptions,
): Promise<Workload> {
  const { properties } = read
  const id = workloadIdOf(read)
  const found = await foundMachine(read, id, places, options)
  const obstacles: readonly Json[] = [
    ...namesakesObstacle(namesakes),
    ...(found?.obstacles ?? obstaclesOf(properties, [])).map(({ kind, message, stops }) => ({ kind, message, stops })),
  ]
  const file = properties['config.files.vmPathName'] ?? properties['summary.config.vmPathName']
  const [usedBytes, labels] = [usedBy(properties), labelsOf(properties)]
  return {
    id,
    name: displayNameOf(read),
    kind: 'machine',
    ...(usedBytes !== undefined && { usedBytes }),
    ...(labels !== undefined && { labels }),
    details: {
      ...(found === undefined ? { inaccessible: true } : hardwareOf(found)),
      ...(file !== undefined && { file }),
      obstacles,
    },
  }
}

/**
 * All machines of a host, templates too; with `id` that one, or nothing. A machine that the host cannot read is listed with what is known of it, and with the
 * obstacle `inaccessible`. Machines that share an id, since files were copied, are one workload, with the obstacle `same-id`. Reads only, a page at a time.
 */
export async function* listWorkloads(connection: Connection, options: CallOptions & { readonly id?: string }): AsyncGenerator<Workload> {
  const { session } = connection
  const { signal, id: only } = options
  const places = createPlaces(session)
  if (only !== undefined) return yield* oneWorkload(connection, only, places, { signal })
  const machines = await machinesById(connection, { signal })
  const told = new Set<string>()
  for await (const read of readMachines(session, { signal })) {
    const id = workloadIdOf(read)
    if (told.has(id)) continue
    told.add(id)
    yield await workloadOf(read, machines.get(id) ?? [], places, { signal })
  }
}

/** A host may have thousands of machines: they are listed only if its index does not know the one. */
async function* oneWorkload(connection: Connection, id: string, places: Places, options: CallOptions): AsyncGenerator<Workload> {
  const { session } = connection
  const indexed = await findInIndex(connection, id, options)
  const namesakes = indexed === undefined ? ((await machinesById(connection, options)).get(id) ?? []) : []
  const ref = indexed ?? namesakes[0]?.ref
  if (ref !== undefined) yield await workloadOf(await readMachine(session, ref, options), namesakes, places, options)
}
