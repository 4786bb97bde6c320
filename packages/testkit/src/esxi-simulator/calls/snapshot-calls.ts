import { deviceList } from '../device-values.ts'
import { allSnapshots, dropSnapshot, type SimulatedMachine, type SimulatedSnapshot, takeSnapshot } from '../simulated-machine.ts'
import type { SimulatedFault, TypedValues } from '../soap-answer.ts'
import { field } from '../soap-answer.ts'
import { type Call, type Given, gone, type Handler, type Host, machineOf, type Refusal, refused, task, textOf } from './call.ts'

/** More snapshots one below the other a host does not make. */
const mostLevels = 32

/** How deep a snapshot lies in a tree; 0: it is not in it. */
function levelOf(snapshots: readonly SimulatedSnapshot[], value: string | undefined): number {
  for (const one of snapshots) {
    if (one.value === value) return 1
    const below = levelOf(one.children, value)
    if (below > 0) return below + 1
  }
  return 0
}

const isTrue = (call: Call, name: string): boolean => textOf(call, name) === 'true'

/** What the host tells of a snapshot besides its place in the tree. */
function addSnapshotObject({ world, places }: Host, machine: SimulatedMachine, value: string): void {
  const hardware = allSnapshots(machine.snapshots).find((one) => one.value === value)?.hardware ?? machine.hardware
  const object = {
    type: 'VirtualMachineSnapshot',
    value,
    hardware,
    properties: (values: TypedValues) => ({
      vm: values.reference('VirtualMachine', machine.value),
      'config.hardware.device': deviceList(hardware, values, places),
    }),
  }
  world.add(object)
}

/** Removes one snapshot from the tree and from the host. */
function drop({ world }: Host, machine: SimulatedMachine, value: string): void {
  dropSnapshot(machine, value)
  const object = world.find('VirtualMachineSnapshot', value)
  if (object !== undefined) world.remove(object)
}

function make(host: Host, call: Call, machine: SimulatedMachine) {
  const on = machine.powerState === 'poweredOn'
  const memory = isTrue(call, 'memory') && on
  // Memory wins; a guest that is off or has no tools is not asked, and nobody is told so.
  const quiesced = isTrue(call, 'quiesce') && on && !memory && machine.conduct.toolsRunning
  if (quiesced && machine.conduct.quiesceFails)
    return { fault: 'ApplicationQuiesceFault', message: 'An error occurred while quiescing the virtual machine.' }
  if (levelOf(machine.snapshots, machine.currentSnapshot) >= mostLevels)
    return { fault: 'TooManySnapshotLevels', message: 'The maximum number of snapshot levels is reached.' }
  const value = host.world.next('snapshot')
  takeSnapshot(machine, {
    value,
    name: textOf(call, 'name'),
    description: textOf(call, 'description'),
    created: new Date(host.world.clock.now()).toISOString(),
    quiesced,
    powerState: machine.powerState === 'suspended' || memory ? machine.powerState : 'poweredOff',
    children: [],
  })
  addSnapshotObject(host, machine, value)
  return { type: 'VirtualMachineSnapshot', value }
}

function createSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  const name = textOf(call, 'name')
  if (/%(?![0-9a-f]{2})/i.test(name)) return refused('InvalidName', `The name '${name}' is invalid.`, field('name', name))
  const { snapshotGate } = machine.conduct
  let held = snapshotGate !== undefined
  snapshotGate?.then(() => {
    held = false
    host.world.changed()
  })
  return task(host, machine, {
    description: 'VirtualMachine.createSnapshot',
    steps: 3,
    holds: () => held,
    cancelable: false,
    run: () => make(host, call, machine),
  })
}

const ownerOf = (host: Host, { self }: Call): SimulatedMachine | undefined =>
  host.machines.find(({ snapshots }) => allSnapshots(snapshots).some(({ value }) => value === self.value))

const fileLocked: SimulatedFault = {
  fault: 'FileLocked',
  message: 'Unable to access file since it is locked',
  fields: field('file', '[datastore1] web/web-000001.vmdk'),
}

function removeSnapshot(host: Host, call: Call): Given | Refusal {
  const machine = ownerOf(host, call)
  if (machine === undefined) return gone(call)
  return task(host, machine, {
    description: 'vm.Snapshot.remove',
    cancelable: false,
    run() {
      const snapshot = allSnapshots(machine.snapshots).find(({ value }) => value === call.self.value)
      const below = isTrue(call, 'removeChildren') && snapshot !== undefined ? allSnapshots(snapshot.children) : []
      for (const { value } of [...below, ...(snapshot === undefined ? [] : [snapshot])]) drop(host, machine, value)
      if (machine.conduct.removalLeavesFiles) machine.conduct.consolidationNeeded = true
      machine.conduct.removalLeavesFiles = false
      return undefined
    },
  })
}

function consolidate(host: Host, call: Call): Given | Refusal {
  const machine = machineOf(host, call)
  if (machine === undefined) return gone(call)
  return task(host, machine, {
    description: 'VirtualMachine.consolidateDisks',
    run() {
      const { conduct } = machine
      if (conduct.lockedTimes > 0) {
        conduct.lockedTimes -= 1
        return fileLocked
      }
      conduct.consolidationNeeded = false
      return undefined
    },
  })
}

function revert(host: Host, call: Call): Given | Refusal {
  const machine = ownerOf(host, call)
  if (machine === undefined) return gone(call)
  return task(host, machine, {
    description: 'vm.Snapshot.revert',
    cancelable: false,
    run() {
      const snapshot = allSnapshots(machine.snapshots).find(({ value }) => value === call.self.value)
      machine.currentSnapshot = call.self.value
      // Only a snapshot that holds the memory makes the machine run again.
      machine.powerState = isTrue(call, 'suppressPowerOn') ? 'poweredOff' : (snapshot?.powerState ?? 'poweredOff')
      return undefined
    },
  })
}

/** Snapshots. */
export const snapshotCalls: { readonly [method: string]: Handler } = {
  CreateSnapshot_Task: createSnapshot,
  RemoveSnapshot_Task: removeSnapshot,
  RevertToSnapshot_Task: revert,
  ConsolidateVMDisks_Task: consolidate,
}
