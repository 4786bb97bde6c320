import { type CallOptions, HoldfastError, type Machine, type RestoreSource, type StoredDisk } from '@holdfast/core/spec'
import { fileNameOf } from '../backup/export-files.ts'
import type { RestorePackage } from '../restore/restore-package.ts'
import { encodedPart, type OpenPart, storedPart } from '../restore/restore-parts.ts'
import { parseOvf } from './parse-ovf.ts'
import { writeOvf } from './write-ovf.ts'

function machineOf({ point, machine, kind }: RestoreSource): Machine {
  if (machine !== undefined) return machine
  throw new HoldfastError(
    'UNSUPPORTED',
    `Point ${point} is no machine: it was written by a provider of the kind "${kind}", which says nothing of one.`,
    {
      remedy: 'Only points of machines become machines of VMware. Restore it where it came from, or into a folder.',
    },
  )
}

/** A disk that was received as a VMDK is one already. */
async function partOf(href: string, disk: StoredDisk, options: CallOptions): Promise<OpenPart> {
  if (disk.file?.format === 'vmdk') return storedPart(href, disk.file, { disk: true })
  return await encodedPart(href, disk, options)
}

/** What was not backed up is in no package; what was must be a disk of the machine. */
function withStoredDisks(machine: Machine, { point, disks }: RestoreSource): Machine {
  const stranger = disks.find(({ key }) => !machine.disks.some((disk) => disk.key === key))
  if (stranger !== undefined)
    throw new HoldfastError(
      'POINT_DAMAGED',
      `Point ${point} holds the disk ${stranger.name} (${stranger.key}), which its machine does not have.`,
    )
  return { ...machine, disks: machine.disks.filter(({ key }) => disks.some((disk) => disk.key === key)) }
}

/**
 * Opens a point of any platform as a package, with a descriptor that is written from the machine. Every length is known; disposing closes the disks.
 * @throws UNSUPPORTED: the point is no machine, or one that VMware cannot have. POINT_DAMAGED. What the disks throw.
 */
export async function openMachinePackage(source: RestoreSource, options: CallOptions): Promise<RestorePackage> {
  const machine = withStoredDisks(machineOf(source), source)
  const base = fileNameOf(machine.name).slice(0, 80)
  const parts: OpenPart[] = []
  const close = async (): Promise<void> => {
    for (const part of parts) await part[Symbol.asyncDispose]()
  }
  try {
    for (const [index, disk] of source.disks.entries()) parts.push(await partOf(`${base}-disk-${index + 1}.vmdk`, disk, options))
    const packaged = source.disks.map(({ key, size }, index) => {
      const { href, size: fileBytes, dataBytes } = parts[index] as OpenPart
      return { key, href, fileBytes, capacity: Math.ceil(size / 512) * 512, dataBytes: Math.min(dataBytes, size) }
    })
    const descriptor = writeOvf(machine, packaged)
    return { descriptor, ovf: parseOvf(descriptor, { what: `${base}.ovf` }), parts, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}
