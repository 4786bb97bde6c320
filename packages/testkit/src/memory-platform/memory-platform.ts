import type { Clock, Ids, Machine } from '@holdfast/core/spec'
import { clusterBytes } from '../bytes.ts'
import { countingIds } from '../fake-ids.ts'
import { type Random, seededRandom } from '../random.ts'
import { bytesOfDisk, digestOfDisks, digestOfFiles, emptyDisk, mutateDisk, mutateFiles, type PlatformThing } from './content.ts'
import { type MachineHost, machineWorld } from './machine-host.ts'
import { type PlatformFaults, platformRequests, type Requests, type Turn } from './requests.ts'
import { type VolumeHost, volumeWorld } from './volume-host.ts'

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
  /** One write by something that runs. */
  mutate(random: Random): void
  /** The workload is gone, as after a disaster. */
  lose(workload: string): void
  loseCheckpoints(machine: string): void
  loseBitmaps(machine: string): void
  setFaults(faults: Partial<PlatformFaults>): void
  /** Every late and doubled request that is still under way arrives. */
  arriveLate(): void
  /** What runs must not leave behind: stopped containers, helpers, snapshots, unfinished machines, disks and backups. In words. */
  leftovers(): readonly string[]
  /** Everything there is, with marks and digests. */
  things(): readonly PlatformThing[]
}

/** Sizes are small so that very many schedules are affordable: machines have disks of `clusters` x 64 KiB, files at most `fileBytes`. */
export function memoryPlatform({
  random = seededRandom(1),
  clusters = 3,
  fileBytes = 600,
  ...wire
}: {
  readonly random?: Random
  readonly clock?: Clock
  readonly latencyMs?: number
  readonly turn?: Turn
  readonly faults?: Partial<PlatformFaults>
  readonly clusters?: number
  readonly fileBytes?: number
} = {}): MemoryPlatform {
  const requests = platformRequests({ ...wire, random: random.fork('wire') })
  const volumes = volumeWorld(requests)
  const machines = machineWorld(requests)
  const content = random.fork('content')
  const firstFiles = () => {
    let files = new Map<string, Uint8Array>()
    for (let count = 0; count < 4; count++) files = mutateFiles(files, content, fileBytes)
    return files
  }
  const firstDisk = (index: number) => {
    // The last disk does not end at a cluster: no code may forget that.
    let disk = emptyDisk({ key: `disk-${index}`, name: `disk ${index}`, size: clusters * clusterBytes - (index % 2) * 1024 })
    for (let count = 0; count < clusters; count++) disk = mutateDisk(disk, content, 1)
    return disk
  }

  function contents(workload: string): ReadonlyMap<string, Uint8Array> | undefined {
    if (machines.machine(workload)) return new Map(machines.disksOf(workload).map((disk) => [disk.key, bytesOfDisk(disk)]))
    const of = volumes.volumesOf(workload)
    return of.length === 0 ? undefined : filesOfVolumes(of)
  }

  return {
    volumes: volumes.host,
    machines: machines.host,
    stream: requests.stream,
    ids: countingIds('platform'),
    addVolume(name) {
      volumes.add({ name, role: name, files: firstFiles() }, `${name}-writer`)
      return name
    },
    addProject(name, roles = ['data', 'config']) {
      for (const role of roles) volumes.add({ name: `${name}_${role}`, role, project: name, files: firstFiles() }, `${name}-writer`)
      return name
    },
    addMachine(name, count = 2) {
      const disks = Array.from({ length: count }, (_, index) => firstDisk(index))
      return machines.add(machineOf(name, disks), disks)
    },
    contents,
    digest(workload) {
      if (machines.machine(workload)) return digestOfDisks(machines.disksOf(workload))
      const of = volumes.volumesOf(workload)
      return of.length === 0 ? undefined : digestOfFiles(filesOfVolumes(of))
    },
    mutate(source) {
      if (source.chance(0.5)) machines.mutate(source)
      else volumes.mutate(source, fileBytes)
    },
    lose(workload) {
      for (const { name } of volumes.volumesOf(workload)) volumes.remove(name)
      if (machines.machine(workload)) machines.remove(workload)
    },
    loseCheckpoints: machines.loseCheckpoints,
    loseBitmaps: machines.loseBitmaps,
    setFaults: requests.setFaults,
    arriveLate: requests.arriveLate,
    leftovers: () => [...volumes.leftovers(), ...machines.leftovers()],
    things: () => [...volumes.things(), ...machines.things()],
  }
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
