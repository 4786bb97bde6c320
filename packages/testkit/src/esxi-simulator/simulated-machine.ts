import { beginDeltas, mergeDeltas } from './simulated-chains.ts'
import { conductProperties, createConduct, type SimulatedConduct } from './simulated-conduct.ts'
import { createHardware, type DeviceOptions, frozen, type SimulatedHardware } from './simulated-devices.ts'
import { layoutProperties } from './simulated-layout.ts'
import type { SimulatedPlaces } from './simulated-places.ts'
import { wireName } from './simulated-places.ts'
import { createSettings, type SettingsOptions, type SimulatedSettings, settingsProperties } from './simulated-settings.ts'
import type { SimulatedObject, SimulatedWorld } from './simulated-world.ts'
import { element, field, reference, type TypedValues, type XmlValue } from './soap-answer.ts'

/** Whether a machine runs, as the API says it. */
export type PowerState = 'poweredOn' | 'poweredOff' | 'suspended'

/** What a simulated machine is made of. */
export interface MachineOptions extends DeviceOptions, SettingsOptions {
  readonly name: string
  readonly uuid: string
  readonly powerState?: PowerState
  /** The host cannot read its files: it gives the name, and hardly anything else; `known`: its id, too. */
  readonly inaccessible?: boolean | 'known'
  /** What it is like besides, and how it takes what is done to it. */
  readonly conduct?: Partial<SimulatedConduct>
}

/** A snapshot in the tree of a machine. */
export interface SimulatedSnapshot {
  readonly value: string
  readonly name: string
  readonly description: string
  readonly created: string
  readonly quiesced: boolean
  readonly powerState: PowerState
  /** As it was then. */
  readonly hardware: SimulatedHardware
  readonly children: SimulatedSnapshot[]
}

/** A machine of a simulated host; a test may change its power state. */
export interface SimulatedMachine extends SimulatedObject {
  name: string
  /** Where its files are: named as it was when it was made, which a rename does not change. */
  readonly folder: string
  powerState: PowerState
  readonly settings: SimulatedSettings
  /** What it is made of now. A snapshot holds a frozen copy. */
  readonly hardware: SimulatedHardware
  readonly conduct: SimulatedConduct
  readonly snapshots: SimulatedSnapshot[]
  currentSnapshot: string | undefined
}

function treeOf(name: string, machine: string, snapshot: SimulatedSnapshot): string {
  const own = [
    reference('snapshot', 'VirtualMachineSnapshot', snapshot.value),
    reference('vm', 'VirtualMachine', machine),
    field('name', snapshot.name),
    field('description', snapshot.description),
    field('id', Number(snapshot.value.split('-').at(-1))),
    field('createTime', snapshot.created),
    field('state', snapshot.powerState),
    field('quiesced', snapshot.quiesced),
  ]
  return `<${name}>${own.join('')}${snapshot.children.map((child) => treeOf('childSnapshotList', machine, child)).join('')}</${name}>`
}

function snapshotInfo({ value, snapshots, currentSnapshot }: SimulatedMachine, values: TypedValues): XmlValue | undefined {
  if (snapshots.length === 0) return undefined
  const current = currentSnapshot === undefined ? '' : reference('currentSnapshot', 'VirtualMachineSnapshot', currentSnapshot)
  return values.data('VirtualMachineSnapshotInfo', `${current}${snapshots.map((one) => treeOf('rootSnapshotList', value, one)).join('')}`)
}

const fileOf = ({ folder }: SimulatedMachine, values: TypedValues) => ({
  'summary.config.vmPathName': values.text(`[datastore1] ${folder}/${folder}.vmx`),
})

export function createMachine(world: SimulatedWorld, places: SimulatedPlaces, options: MachineOptions): SimulatedMachine {
  const { name, uuid, powerState = 'poweredOff', inaccessible = false } = options
  const home = {
    name,
    uuid,
    datastore: places.datastores[0]?.name ?? 'datastore1',
    network: places.networks[0]?.name ?? 'VM Network',
  }
  const machine: SimulatedMachine = {
    type: 'VirtualMachine',
    value: world.nextMachine(),
    name,
    folder: name,
    powerState,
    settings: createSettings(uuid, options),
    hardware: createHardware(home, options),
    conduct: createConduct(options.conduct),
    snapshots: [],
    currentSnapshot: undefined,
    properties(values) {
      const always = {
        name: values.text(wireName(machine.name)),
        'runtime.connectionState': values.enumeration('VirtualMachineConnectionState', inaccessible ? 'inaccessible' : 'connected'),
      }
      if (inaccessible === 'known') return { ...always, 'summary.config.uuid': values.text(uuid), ...fileOf(machine, values) }
      if (inaccessible) return always
      return {
        ...always,
        ...settingsProperties(machine.folder, machine.settings, machine.hardware, places, values),
        ...fileOf(machine, values),
        ...layoutProperties(machine.folder, machine.settings.nvram.length, machine.hardware, places, values),
        'runtime.powerState': values.enumeration('VirtualMachinePowerState', machine.powerState),
        snapshot: snapshotInfo(machine, values),
        ...conductProperties(world, machine.value, machine.conduct, machine.powerState === 'poweredOn', values),
      }
    },
  }
  world.add(machine)
  return machine
}

/** All snapshots of a tree, whoever they belong to. */
export function allSnapshots(snapshots: readonly SimulatedSnapshot[]): readonly SimulatedSnapshot[] {
  return snapshots.flatMap((snapshot) => [snapshot, ...allSnapshots(snapshot.children)])
}

/** Tracking begins with the first snapshot of a machine that has none, and each one is a moment of it. No snapshot holds an independent disk. */
function trackMoment({ hardware, settings, snapshots }: SimulatedMachine): void {
  for (const disk of hardware.disks) {
    if (disk.mode.startsWith('independent') || !settings.changeTracking) continue
    if (snapshots.length === 0) disk.tracking.active = true
    if (disk.tracking.active) disk.changeId = disk.tracking.mark(disk.content)
  }
}

/** Whatever was tracked is forgotten. */
export function endTracking({ hardware }: SimulatedMachine): void {
  for (const disk of hardware.disks) {
    disk.tracking.reset()
    disk.tracking.active = false
    disk.changeId = undefined
  }
}

/** Puts a new snapshot below the current one, and makes it the current one. */
export function takeSnapshot(machine: SimulatedMachine, snapshot: Omit<SimulatedSnapshot, 'hardware'>): void {
  const current = allSnapshots(machine.snapshots).find(({ value }) => value === machine.currentSnapshot)
  trackMoment(machine)
  ;(current?.children ?? machine.snapshots).push({ ...snapshot, hardware: frozen(machine.hardware) })
  machine.currentSnapshot = snapshot.value
  beginDeltas(machine)
}

/** Removes one snapshot; its children take its place. False: there is none. */
export function dropSnapshot(machine: SimulatedMachine, value: string): boolean {
  const drop = (list: SimulatedSnapshot[], parent: string | undefined): boolean => {
    const at = list.findIndex((one) => one.value === value)
    if (at < 0) return list.some((one) => drop(one.children, one.value))
    const [gone] = list.splice(at, 1)
    list.push(...(gone?.children ?? []))
    if (gone !== undefined) mergeDeltas(machine, gone.hardware)
    if (machine.currentSnapshot === value) machine.currentSnapshot = parent
    return true
  }
  return drop(machine.snapshots, undefined)
}

export const serviceContent = (values: TypedValues, { apiType }: { readonly apiType: 'HostAgent' | 'VirtualCenter' }): XmlValue =>
  values.data(
    'ServiceContent',
    [
      reference('rootFolder', 'Folder', 'root-folder'),
      reference('propertyCollector', 'PropertyCollector', 'collector'),
      reference('viewManager', 'ViewManager', 'views'),
      element('about', {
        attributes: '',
        content: [
          field('name', apiType === 'HostAgent' ? 'VMware ESXi' : 'VMware vCenter Server'),
          field('fullName', apiType === 'HostAgent' ? 'VMware ESXi 8.0.2 build-1' : 'VMware vCenter Server 8.0.2 build-1'),
          field('vendor', 'VMware, Inc.'),
          field('version', '8.0.2'),
          field('build', '1'),
          field('apiType', apiType),
          field('apiVersion', '8.0.2.0'),
          field('licenseProductName', 'VMware ESX Server'),
        ].join(''),
      }),
      reference('sessionManager', 'SessionManager', 'sessions'),
      reference('authorizationManager', 'AuthorizationManager', 'authorizations'),
      reference('licenseManager', 'LicenseManager', 'licences'),
      reference('searchIndex', 'SearchIndex', 'search'),
      reference('fileManager', 'FileManager', 'files'),
      reference('ovfManager', 'OvfManager', 'ovf'),
    ].join(''),
  )
