import type { Clock, Ids, Machine } from '@holdfast/core/spec'
import { clusterBytes } from '../bytes.ts'
import { type Random, seededRandom } from '../random.ts'
import {
  bytesOfDisk,
  type DiskContent,
  digestOfDisks,
  digestOfFiles,
  emptyDisk,
  mutateDisk,
  mutateFiles,
  type PlatformThing,
} from './content.ts'
import { type MachineHost, type MachineWorld, machineWorld } from './machine-host.ts'
import { type Persisted, platformInFile, type Transact } from './platform-file.ts'
import { type PlatformFaults, platformRequests, type Requests, type Turn } from './requests.ts'
import { type VolumeHost, type VolumeWorld, volumeWorld } from './volume-host.ts'

/** A platform in memory with volumes, containers and machines, whose owner (the test) sees and changes everything at once. */
export interface MemoryPlatform {
  /** What a provider may use: each call is one request over a wire that loses, delays and doubles. */
  readonly volumes: VolumeHost
  readonly machines: MachineHost
  /** Bytes on their way from the platform to a provider. */
  readonly stream: Requests['stream']
  /** Identifiers that the platform gives, unique on it. */
  readonly ids: Ids
  /** A volume with files and a running container that writes to it. Returns the workload's id: the name. */
  addVolume(name: string): string
  /** Volumes `<name>_<role>` with one running container that writes to all of them. Returns the workload's id: the name. */
  addProject(name: string, roles?: readonly string[]): string
  /** A running machine. Returns the workload's id. */
  addMachine(name: string, disks?: number): string
  /** Everything in a workload by name: files of a volume, `role/file` of a project, disks by key of a machine. Undefined: it is not there. */
  contents(workload: string): ReadonlyMap<string, Uint8Array> | undefined
  /** One hash of the contents. Every scripted backup writes that of what it froze into `description.digest`. */
  digest(workload: string): string | undefined
  /** Somebody takes a snapshot of a machine (by id) with other tools: it carries no mark. Gives the snapshot's id. */
  addSnapshot(machine: string, name: string): string
  /** One write by something that runs. */
  mutate(random: Random): void
  /** The workload is gone, as after a disaster. */
  lose(workload: string): void
  /** The machine (by id) has no checkpoints any more, as after a failed upgrade of a host: an increment has no base and rejects with BASE_LOST. */
  loseCheckpoints(machine: string): void
  /**
   * Every checkpoint of the machine (by id) loses the first disk that it still has; each call costs one more. Before a backup this makes the disk come
   * whole, with a reason; during one it rejects with BASE_LOST.
   */
  loseBitmaps(machine: string): void
  /** The probabilities from the next request on; those that are not named become 0. Requests already under way stay under way. */
  setFaults(faults: Partial<PlatformFaults>): void
  /** Every late and doubled request that is still under way arrives. */
  arriveLate(): void
  /** What runs must not leave behind: stopped containers, helpers, snapshots, unfinished machines, disks and backups. In words. */
  leftovers(): readonly string[]
  /** Everything there is, with marks and digests. */
  things(): readonly PlatformThing[]
}

/** How large, slow and unreliable a memory platform is. Without options: small, at once, without faults, and the same in every run. */
export interface MemoryPlatformOptions {
  /** Where the first contents and the faults come from. Default: seed 1. */
  readonly random?: Random
  /** For `latencyMs`, how long each request takes, and the times of snapshots. */
  readonly clock?: Clock
  /** Milliseconds on `clock`; without a clock nothing takes time. Default 0. */
  readonly latencyMs?: number
  /** Where a driver interleaves, freezes or fails requests. */
  readonly turn?: Turn
  /** Those that are not named are 0. */
  readonly faults?: Partial<PlatformFaults>
  /** Clusters of 64 KiB in each disk. Default 3. */
  readonly clusters?: number
  /** The largest file, bytes. Default 600. */
  readonly fileBytes?: number
  /** Keeps everything in this file, so that it outlives the process and is shared with others. Requests under way are not kept. */
  readonly file?: string
}

/** Default sizes are small, so that very many schedules are affordable. */
export function memoryPlatform({
  random = seededRandom(1),
  clusters = 3,
  fileBytes = 600,
  file,
  ...wire
}: MemoryPlatformOptions = {}): MemoryPlatform {
  const counter = { count: 0 }
  const ids: Persisted = { dump: () => counter, load: (dumped) => void Object.assign(counter, dumped) }
  const transact: Transact = file === undefined ? (action) => action() : platformInFile(file, () => [volumes, machines, ids])
  const requests = platformRequests({ ...wire, transact, random: random.fork('wire') })
  const volumes = volumeWorld(requests)
  const machines = machineWorld(requests, wire.clock)
  return {
    volumes: volumes.host,
    machines: machines.host,
    stream: requests.stream,
    ids: { next: () => transact(() => `platform${++counter.count}`) },
    ...ownerView(volumes, machines, transact, { content: random.fork('content'), clusters, fileBytes }),
    setFaults: requests.setFaults,
    arriveLate: requests.arriveLate,
  }
}

type OwnerView = Omit<MemoryPlatform, 'volumes' | 'machines' | 'stream' | 'ids' | 'setFaults' | 'arriveLate'>

/** What the test does and sees, without any wire. */
function ownerView(
  volumes: VolumeWorld,
  machines: MachineWorld,
  transact: Transact,
  sizes: { readonly content: Random; readonly clusters: number; readonly fileBytes: number },
): OwnerView {
  const { fileBytes } = sizes
  const addVolume = (volume: Omit<Parameters<VolumeWorld['add']>[0], 'files'>, container: string) =>
    transact(() => volumes.add({ ...volume, files: firstFiles(sizes) }, container))
  return {
    addVolume(name) {
      addVolume({ name, role: name }, `${name}-writer`)
      return name
    },
    addProject(name, roles = ['data', 'config']) {
      for (const role of roles) addVolume({ name: `${name}_${role}`, role, project: name }, `${name}-writer`)
      return name
    },
    addMachine(name, count = 2) {
      const disks = Array.from({ length: count }, (_, index) => firstDisk(index, sizes))
      return transact(() => machines.add(machineOf(name, disks), disks))
    },
    addSnapshot: (machine, name) => transact(() => machines.addSnapshot(machine, name)),
    contents: (workload) => transact(() => contentsOf(volumes, machines, workload)),
    digest: (workload) => transact(() => digestOf(volumes, machines, workload)),
    mutate: (random) => transact(() => (random.chance(0.5) ? machines.mutate(random) : volumes.mutate(random, fileBytes))),
    lose: (workload) =>
      transact(() => {
        for (const { name } of volumes.volumesOf(workload)) volumes.remove(name)
        if (machines.machine(workload)) machines.remove(workload)
      }),
    loseCheckpoints: (machine) => transact(() => machines.loseCheckpoints(machine)),
    loseBitmaps: (machine) => transact(() => machines.loseBitmaps(machine)),
    leftovers: () => transact(() => [...volumes.leftovers(), ...machines.leftovers()]),
    things: () => transact(() => [...volumes.things(), ...machines.things()]),
  }
}

function contentsOf(volumes: VolumeWorld, machines: MachineWorld, workload: string): ReadonlyMap<string, Uint8Array> | undefined {
  if (machines.machine(workload)) return new Map(machines.disksOf(workload).map((disk) => [disk.key, bytesOfDisk(disk)]))
  const of = volumes.volumesOf(workload)
  return of.length === 0 ? undefined : filesOfVolumes(of)
}

function digestOf(volumes: VolumeWorld, machines: MachineWorld, workload: string): string | undefined {
  if (machines.machine(workload)) return digestOfDisks(machines.disksOf(workload))
  const files = contentsOf(volumes, machines, workload)
  return files && digestOfFiles(files)
}

function firstFiles({ content, fileBytes }: { readonly content: Random; readonly fileBytes: number }): ReadonlyMap<string, Uint8Array> {
  let files = new Map<string, Uint8Array>()
  for (let count = 0; count < 4; count++) files = mutateFiles(files, content, fileBytes)
  return files
}

function firstDisk(index: number, { content, clusters }: { readonly content: Random; readonly clusters: number }): DiskContent {
  // Every other disk does not end at a cluster: no code may forget that.
  let disk = emptyDisk({ key: `disk-${index}`, name: `disk ${index}`, size: clusters * clusterBytes - (index % 2) * 1024 })
  for (let count = 0; count < clusters; count++) disk = mutateDisk(disk, content, 0)
  return disk
}

/** Files of one volume by name, of a project by `role/name`. */
export function filesOfVolumes(
  volumes: readonly { readonly role: string; readonly project?: string; readonly files: ReadonlyMap<string, Uint8Array> }[],
): ReadonlyMap<string, Uint8Array> {
  const prefix = ({ role, project }: { role: string; project?: string }) => (project === undefined ? '' : `${role}/`)
  return new Map(volumes.flatMap((volume) => [...volume.files].map(([name, bytes]) => [prefix(volume) + name, bytes] as const)))
}

function machineOf(name: string, disks: readonly { readonly key: string }[]): Machine {
  return {
    name,
    cpus: 2,
    memoryBytes: 512 << 20,
    firmware: 'efi',
    guest: { family: 'linux' },
    disks: disks.map(({ key }) => ({ key, bus: 'virtio' })),
    networks: [{ name: 'lan', mac: '02:00:00:00:00:01' }],
  }
}
