import type { SimulatedDisk } from './simulated-disk.ts'
import { allSnapshots, type SimulatedMachine } from './simulated-machine.ts'
import type { SimulatedDatastore, SimulatedPlaces } from './simulated-places.ts'

const never = { signal: new AbortController().signal }

/** A file of a datastore. */
export interface DatastoreFile {
  /** Bytes. */
  readonly size: number
  /** A running machine writes it: nobody else reads it. */
  readonly locked: boolean
  /** Bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Something that goes wrong, or happens, when a file is asked for: the first time after it was scripted. */
export type FileEvent = {
  /** Every time, not only the first. */
  readonly always?: boolean
} & (
  | { readonly does: 'status'; readonly status: number }
  /** The connection breaks after so many bytes of the answer. */
  | { readonly does: 'cut'; readonly afterBytes: number }
  /** The whole file comes, whatever range was asked for. */
  | { readonly does: 'whole' }
  /** Other bytes than those that were asked for, and the answer says so. */
  | { readonly does: 'shift' }
  | {
      readonly does: 'call'
      /** Awaited before the answer. */
      call(): void | Promise<void>
    }
)

/** Files of datastores as HTTP shows them. */
export interface SimulatedFiles {
  /** What was asked for, as `web/web-flat.vmdk 0-65535`. */
  readonly requests: string[]
  /**
   * What goes wrong with a file.
   * @param path - Within its datastore: `web/web-flat.vmdk`.
   */
  script(path: string, event: FileEvent): void
  /** A file in place of the one that there is, if any. */
  put(path: string, content: Omit<DatastoreFile, 'locked'> | Uint8Array): void
  /** What was scripted for the next request; afterwards it is forgotten, unless it happens always. */
  eventFor(path: string): FileEvent | undefined
  /** What was put here. */
  placed(path: string): DatastoreFile | undefined
}

const inMemory = (bytes: Uint8Array): DatastoreFile => ({
  size: bytes.length,
  locked: false,
  read: async (offset, length) => bytes.subarray(offset, offset + length),
})

export function createFiles(): SimulatedFiles {
  const events: { readonly path: string; readonly event: FileEvent }[] = []
  const files = new Map<string, DatastoreFile>()
  return {
    requests: [],
    script: (path, event) => void events.push({ path, event }),
    put: (path, content) => void files.set(path, content instanceof Uint8Array ? inMemory(content) : { ...content, locked: false }),
    eventFor(path) {
      const at = events.findIndex((one) => one.path === path)
      const found = events[at]
      if (found !== undefined && found.event.always !== true) events.splice(at, 1)
      return found?.event
    },
    placed: (path) => files.get(path),
  }
}

/** Datastores of these types hold objects instead of extents. */
const holdsObjects = ({ kind }: SimulatedDatastore): boolean => /^(vsan|vvol)$/i.test(kind)

export const isObject = ({ datastore }: SimulatedDisk, { datastores }: SimulatedPlaces): boolean =>
  datastores.some((one) => one.name === datastore && holdsObjects(one))

/** What there is of a disk, by the words of a descriptor. */
function formOf({ backing, parents }: SimulatedDisk, objects: boolean): readonly [createType: string, kind: string, suffix: string] {
  if (backing === 'rdmVirtual') return ['vmfsRawDeviceMap', 'VMFSRDM', '-rdm']
  if (backing === 'rdmPhysical') return ['vmfsPassthroughRawDeviceMap', 'VMFSRDM', '-rdmp']
  if (backing === 'seSparse') return ['seSparse', 'SESPARSE', '-sesparse']
  if (parents.length > 0) return ['vmfsSparse', 'VMFSSPARSE', '-delta']
  return ['vmfs', 'VMFS', objects ? '-object' : '-flat']
}

const withSuffix = (fileName: string, suffix: string): string => fileName.replace(/\.vmdk$/, `${suffix}.vmdk`)

/** Name of the extent of a disk, as `[datastore1] web/web-flat.vmdk`; undefined: it has no file. */
export const extentOf = (disk: SimulatedDisk, objects: boolean): string | undefined =>
  objects ? undefined : withSuffix(disk.fileName, formOf(disk, objects)[2])

function descriptorOf(disk: SimulatedDisk, objects: boolean): string {
  const [createType, kind, suffix] = formOf(disk, objects)
  const extent = objects ? 'vsan://9a1b2c5d-0000-0000-0000-000000000000' : (withSuffix(disk.fileName, suffix).split('/').at(-1) ?? '')
  return [
    '# Disk DescriptorFile',
    'version=1',
    'encoding="UTF-8"',
    'CID=fffffffe',
    `parentCID=${disk.parents.length > 0 ? 'fffffffe' : 'ffffffff'}`,
    `createType="${createType}"`,
    ...(disk.parents[0] === undefined ? [] : [`parentFileNameHint="${disk.parents[0].split('/').at(-1)}"`]),
    '',
    '# Extent description',
    `RW ${disk.content.size / 512} ${kind} "${extent}"`,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    'ddb.virtualHWVersion = "19"',
    '',
  ].join('\n')
}

function ofDisks(machine: SimulatedMachine, wanted: string, objects: boolean): DatastoreFile | undefined {
  const frozen = allSnapshots(machine.snapshots).flatMap(({ hardware }) => hardware.disks)
  // What a snapshot holds is older than what the machine writes now.
  for (const disk of [...frozen, ...machine.hardware.disks]) {
    if (disk.fileName === wanted) return inMemory(Buffer.from(descriptorOf(disk, objects)))
    if (extentOf(disk, objects) !== wanted) continue
    const active = machine.hardware.disks.some(({ fileName }) => fileName === disk.fileName)
    const { content } = disk
    return {
      size: content.size,
      locked: active && machine.powerState === 'poweredOn',
      async read(offset, length) {
        const blocks = content.open()
        const bytes = new Uint8Array(length)
        await blocks.readInto(bytes, offset, never).finally(() => blocks[Symbol.asyncDispose]())
        return bytes
      },
    }
  }
  return undefined
}

/** A file of a machine: its settings, its NVRAM, descriptors and extents of its disks and of those that snapshots hold. */
export function fileOf(machines: readonly SimulatedMachine[], datastore: SimulatedDatastore, path: string): DatastoreFile | undefined {
  for (const machine of machines) {
    const { name, folder, settings } = machine
    if (path === `${folder}/${folder}.vmx`) return inMemory(Buffer.from(`.encoding = "UTF-8"\ndisplayName = "${name}"\n`))
    if (path === `${folder}/${folder}.nvram`) return inMemory(settings.nvram)
    const found = ofDisks(machine, `[${datastore.name}] ${path}`, holdsObjects(datastore))
    if (found !== undefined) return found
  }
  return undefined
}
