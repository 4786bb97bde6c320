import { systemClock } from '@holdfast/core/spec'
import {
  type EsxiSimulator,
  memoryMappedBlocks,
  type Random,
  readBlocks,
  type SimulatedMachine,
  type SimulatedSnapshot,
} from '@holdfast/testkit'
import { shareConnection } from '../../src/connection.ts'
import { parseHostOptions } from '../../src/host-options.ts'
import { until } from './export-host.ts'
import { loginOf } from './simulated-connection.ts'

const never = { signal: new AbortController().signal }
const clusterBytes = 65_536

export function machineNamed(host: EsxiSimulator, name: string): SimulatedMachine {
  const machine = host.machine(name)
  if (machine === undefined) throw new Error(`there is no machine ${name}`)
  return machine
}

/** Names and descriptions of all snapshots of a machine. */
export function snapshotsOf({ snapshots }: SimulatedMachine): readonly string[] {
  const all = (list: readonly SimulatedSnapshot[]): readonly string[] =>
    list.flatMap(({ name, description, children }) => [`${name}: ${description}`, ...all(children)])
  return all(snapshots)
}

/** A snapshot that a person makes by other means. */
export async function addForeignSnapshot(host: EsxiSimulator, machine: SimulatedMachine): Promise<void> {
  const shared = shareConnection(parseHostOptions(loginOf(host)), systemClock)
  const { session } = await shared.open(never)
  const snapshot = { name: 'of Ann', description: 'before the update', memory: false, quiesce: false }
  await session.call('CreateSnapshot_Task', { type: 'VirtualMachine', value: machine.value }, snapshot, never)
  await until('the snapshot of Ann is there', () => machine.snapshots.length === 1)
  await shared[Symbol.asyncDispose]()
}

/** What a disk holds, read beside the API. */
export async function contentsOf({ hardware }: SimulatedMachine): Promise<readonly Uint8Array[]> {
  const disks: Uint8Array[] = []
  for (const { content } of hardware.disks) {
    const blocks = content.open()
    disks.push(await readBlocks(blocks, never))
    await blocks[Symbol.asyncDispose]()
  }
  return disks
}

/** A guest fills whole clusters with what cannot be packed. Gives the bytes that it changed. */
export async function changeDisks(machine: SimulatedMachine, clusters: number, random: Random): Promise<number> {
  for (const [index, content] of (await contentsOf(machine)).entries()) {
    const chosen = new Set<number>()
    while (chosen.size < clusters) chosen.add(random.below(content.length / clusterBytes))
    for (const cluster of chosen) content.set(random.bytes(clusterBytes), cluster * clusterBytes)
    const disk = machine.hardware.disks[index]
    if (disk !== undefined) disk.content = { size: content.length, open: () => memoryMappedBlocks(content, { readers: 4 }) }
  }
  return machine.hardware.disks.length * clusters * clusterBytes
}
