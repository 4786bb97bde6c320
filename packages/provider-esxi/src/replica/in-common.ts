import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { Device } from '../inventory/devices.ts'
import { idOf, type MachineIdentity } from '../inventory/machine-properties.ts'
import { decodeName } from '../inventory/object-name.ts'
import { retrieveAll } from '../vim25/retrieve.ts'
import type { MoRef } from '../vim25/values.ts'

interface Backing {
  readonly fileName?: string
  /** What a snapshot or a linked clone goes on from. */
  readonly parent?: Backing
}

/** Files of the disks of a machine, with those that they go on from. */
export function diskFilesOf(devices: readonly Device[]): readonly string[] {
  const chain = (backing: Backing | undefined): readonly string[] =>
    backing === undefined ? [] : [...(backing.fileName === undefined ? [] : [backing.fileName]), ...chain(backing.parent)]
  return devices.flatMap((device) => (device.$type === 'VirtualDisk' ? chain(device.backing as Backing | undefined) : []))
}

/** A machine that may be about to go. */
interface Leaving {
  readonly ref: MoRef<'VirtualMachine'>
  readonly id: string
  /** As messages call it. */
  readonly what: string
  readonly files: readonly string[]
}

const paths = ['name', 'config.hardware.device', 'config.instanceUuid', 'config.uuid']

/** Why a machine must stay because of what another one has in common with it: its id, so that nobody knows which is meant, or a disk, which would be deleted. */
export async function refusedForOthers(
  { session }: Connection,
  { ref, id, what, files }: Leaving,
  options: CallOptions,
): Promise<HoldfastError | undefined> {
  for await (const { ref: other, values } of retrieveAll(session, 'VirtualMachine', paths, options)) {
    if (other.value === ref.value) continue
    const name = `${decodeName(String(values.name ?? other.value))} (${other.value})`
    if (idOf(values as MachineIdentity) === id)
      return new HoldfastError('IN_USE', `${what} is not replaced: ${name} has the same id ${id}.`, {
        remedy: 'One is a copy of the other. Take the copy out of the inventory.',
        details: { id, other: other.value },
      })
    const shared = diskFilesOf((values['config.hardware.device'] ?? []) as readonly Device[]).find((file) => files.includes(file))
    if (shared !== undefined)
      return new HoldfastError('UNSUPPORTED', `${what} is not replaced: ${name} uses the disk ${shared} too.`, {
        remedy: `Take the disk out of ${name}.`,
        details: { file: shared, other: other.value },
      })
  }
  return undefined
}
