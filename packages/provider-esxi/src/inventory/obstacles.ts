import { isHelperSnapshot } from '../snapshots/helper-snapshots.ts'
import { isA } from '../vim25/field.ts'
import type { Data } from '../vim25/values.ts'
import { type Device, labelOf } from './devices.ts'
import type { FoundDisk } from './disks.ts'
import type { MachineProperties } from './machine-properties.ts'
import { decodeName } from './object-name.ts'

/** Something about a machine that stands in the way of a backup, or makes it hold less than everything. JSON. */
export interface Obstacle {
  readonly kind:
    | 'bus-sharing'
    | 'device-passthrough'
    | 'disk-without-file'
    | 'encrypted'
    | 'foreign-snapshot'
    | 'inaccessible'
    | 'independent-disk'
    | 'physical-rdm'
    | 'question'
    | 'vtpm'
  /** One plain sentence: what it is, and how to mend it. */
  readonly message: string
  /** As the machine is now it cannot be backed up. */
  readonly stops: boolean
}

const obstacle = (kind: Obstacle['kind'], stops: boolean, message: string): Obstacle => ({ kind, stops, message })

function ofDisk(disk: FoundDisk, running: boolean): readonly Obstacle[] {
  const { name, slot, backing, backingType, mode, encrypted, shared, fileName } = disk
  const which = `${name} (${slot})`
  const found: Obstacle[] = []
  if (backing === 'rdmPhysical')
    found.push(
      obstacle(
        'physical-rdm',
        true,
        `${which} is a raw device in physical mode, which a host can neither snapshot nor export. Change it to virtual mode, or detach it.`,
      ),
    )
  if (fileName === undefined) found.push(obstacle('disk-without-file', true, `${which} (${backingType}) is no file on a datastore.`))
  if (encrypted) found.push(obstacle('encrypted', true, `${which} is encrypted, and a host exports no encrypted disk. Decrypt it.`))
  if (mode.startsWith('independent'))
    found.push(
      obstacle(
        'independent-disk',
        false,
        `${which} is independent (${mode}): no snapshot holds it, so it is in a backup only when the machine is off.`,
      ),
    )
  if (shared)
    found.push(
      obstacle(
        'bus-sharing',
        running,
        `${which} may be written by several machines, and a host cannot snapshot it while the machine runs. Switch it off for the backup.`,
      ),
    )
  return found
}

function ofDevice(device: Device, running: boolean): readonly Obstacle[] {
  // By name: types without fields of their own are all alike to the compiler.
  const { $type = '' } = device
  if (isA($type, 'VirtualTPM'))
    return [
      obstacle(
        'vtpm',
        true,
        'It has a virtual TPM, and a host exports no machine with one. Remove it; what is sealed with it will be lost.',
      ),
    ]
  if (isA($type, 'VirtualPCIPassthrough'))
    return [
      obstacle(
        'device-passthrough',
        running,
        `${labelOf(device)} is a device of the host, and a host cannot snapshot the machine while it runs. Switch it off for the backup.`,
      ),
    ]
  const sharing = 'sharedBus' in device && typeof device.sharedBus === 'string' ? device.sharedBus : 'noSharing'
  if (isA($type, 'VirtualController') && sharing !== 'noSharing')
    return [
      obstacle(
        'bus-sharing',
        running,
        `${labelOf(device)} shares its bus (${sharing}), and a host cannot snapshot the machine while it runs. Switch it off for the backup.`,
      ),
    ]
  return []
}

function namesIn(trees: readonly Data<'VirtualMachineSnapshotTree'>[]): readonly string[] {
  return trees.flatMap(({ name, childSnapshotList }) => [decodeName(name), ...namesIn(childSnapshotList)])
}

function ofQuestion({ text, choice }: Data<'VirtualMachineQuestionInfo'>): Obstacle {
  const answers = choice.choiceInfo.map(({ label }) => label).join(' or ')
  const message = `It waits for an answer and does nothing until it has one: ${text.trim()} (${answers}). Answer it in the host client.`
  return obstacle('question', true, message)
}

/** Everything about a machine that stands in the way, that which stops a backup first. */
export function obstaclesOf(properties: MachineProperties, disks: readonly FoundDisk[]): readonly Obstacle[] {
  const running = properties['runtime.powerState'] === 'poweredOn'
  const state = properties['runtime.connectionState'] ?? 'unknown'
  const found: Obstacle[] = []
  if (state !== 'connected')
    found.push(
      obstacle('inaccessible', true, `The host cannot reach it (${state}). Look at its datastore and at the connection of its host.`),
    )
  if (properties['config.keyId'] !== undefined)
    found.push(obstacle('encrypted', true, 'It is encrypted, and a host exports no encrypted machine. Decrypt it.'))
  const question = properties['runtime.question']
  if (question !== undefined) found.push(ofQuestion(question))
  for (const name of namesIn(properties.snapshot?.rootSnapshotList ?? []).filter(isHelperSnapshot))
    found.push(
      obstacle(
        'foreign-snapshot',
        true,
        `It has the snapshot "${name}" of another backup program. Wait until that has ended; if none runs, remove the snapshot.`,
      ),
    )
  for (const device of properties['config.hardware.device'] ?? []) found.push(...ofDevice(device, running))
  for (const disk of disks) found.push(...ofDisk(disk, running))
  return found.sort((left, right) => Number(right.stops) - Number(left.stops))
}
