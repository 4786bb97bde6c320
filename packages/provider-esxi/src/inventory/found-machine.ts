import type { CallOptions, Machine } from '@holdfast/core/spec'
import type { Data, MoRef } from '../vim25/values.ts'
import { disksOf, type FoundDisk } from './disks.ts'
import { machineOf } from './machine-of.ts'
import type { MachineProperties, Read } from './machine-properties.ts'
import { type FoundNetwork, networkCardsOf } from './network-cards.ts'
import { decodeName } from './object-name.ts'
import { type Obstacle, obstaclesOf } from './obstacles.ts'
import type { FoundDatastore, Places } from './places.ts'

/** Everything that a backup needs to know of a machine, as it is now. */
export interface FoundMachine {
  /** Its reference on the host now. Hosts use such numbers again: it is nothing to remember. */
  readonly ref: MoRef<'VirtualMachine'>
  /** Of the workload. */
  readonly id: string
  /** As people know it, without the escapes of the host. */
  readonly name: string
  readonly powerState: 'poweredOn' | 'poweredOff' | 'suspended'
  readonly template: boolean
  readonly firmware: 'bios' | 'efi'
  readonly secureBoot: boolean
  /** The tools run in the guest, so that it can be asked to flush or to shut down. */
  readonly toolsRunning: boolean
  /** Changes of its disks are tracked. */
  readonly changeTracking: boolean
  readonly consolidationNeeded: boolean
  /** It waits for an answer. */
  readonly question: Data<'VirtualMachineQuestionInfo'> | undefined
  /** The host can reach it. */
  readonly accessible: boolean
  /** `[datastore] folder/name.vmx`. */
  readonly configFile: string | undefined
  readonly disks: readonly FoundDisk[]
  readonly networks: readonly FoundNetwork[]
  /** Those it has files on. */
  readonly datastores: readonly FoundDatastore[]
  readonly snapshots: Data<'VirtualMachineSnapshotInfo'> | undefined
  readonly obstacles: readonly Obstacle[]
  readonly machine: Machine
}

/** Makes one out of what the host says. Undefined: the host cannot read how the machine is made. */
export async function foundMachine(
  { ref, properties }: Read<MachineProperties>,
  id: string,
  places: Places,
  options: CallOptions,
): Promise<FoundMachine | undefined> {
  const devices = properties['config.hardware.device']
  const powerState = properties['runtime.powerState']
  if (devices === undefined || powerState === undefined) return undefined
  const disks = disksOf(devices)
  const networks = networkCardsOf(devices, await places.networks(properties.network ?? [], options))
  const machine = machineOf(properties, disks, networks)
  if (machine === undefined) return undefined
  return {
    ref,
    id,
    name: decodeName(properties.name ?? ''),
    powerState,
    template: properties['config.template'] ?? false,
    firmware: machine.firmware,
    secureBoot: machine.secureBoot ?? false,
    toolsRunning: properties['guest.toolsRunningStatus'] === 'guestToolsRunning',
    changeTracking: properties['config.changeTrackingEnabled'] ?? false,
    consolidationNeeded: properties['runtime.consolidationNeeded'] ?? false,
    question: properties['runtime.question'],
    accessible: properties['runtime.connectionState'] === 'connected',
    configFile: properties['config.files.vmPathName'],
    disks,
    networks,
    datastores: await places.datastores(properties.datastore ?? [], options),
    snapshots: properties.snapshot,
    obstacles: obstaclesOf(properties, disks),
    machine,
  }
}
