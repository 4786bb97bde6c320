import type { Host } from './calls/call.ts'
import { versionOf } from './simulated-conduct.ts'
import { instanceUuidFor } from './simulated-identity.ts'
import { endTracking, type SimulatedMachine } from './simulated-machine.ts'
import { field, reference, type SimulatedFault } from './soap-answer.ts'
import { type RequestElement, textAt } from './soap-request.ts'

/** Fields in the order of the schema: a host refuses another one. What is not here is refused, too. */
const specFields = [
  'changeVersion',
  'name',
  'uuid',
  'instanceUuid',
  'guestId',
  'annotation',
  'deviceChange',
  'extraConfig',
  'bootOptions',
  'changeTrackingEnabled',
  'firmware',
]
const cardFields = [
  'key',
  'deviceInfo',
  'backing',
  'connectable',
  'controllerKey',
  'unitNumber',
  'addressType',
  'macAddress',
  'wakeOnLanEnabled',
]

function isInOrder({ children }: RequestElement, fields: readonly string[]): boolean {
  const places = children.map(({ name }) => fields.indexOf(name))
  return places.every((place, at) => place >= 0 && place >= (places[at - 1] ?? 0))
}

const sameName = (host: Host, machine: SimulatedMachine, name: string): SimulatedFault | undefined => {
  const other = host.machines.find((one) => one !== machine && one.name === name)
  return (
    other && {
      fault: 'DuplicateName',
      message: `The name '${name}' already exists.`,
      fields: field('name', name) + reference('object', 'VirtualMachine', other.value),
    }
  )
}

/** Names come with `%25`, `%2f` and `%5c`. */
const nameGiven = (text: string): string =>
  text.replaceAll(/%[0-9a-f]{2}/gi, (triple) => String.fromCharCode(Number.parseInt(triple.slice(1), 16)))

const badDevice: SimulatedFault = {
  fault: 'InvalidDeviceSpec',
  message: "Invalid configuration for device '0'.",
  fields: field('deviceIndex', 0),
}

function changeCard(machine: SimulatedMachine, change: RequestElement): SimulatedFault | undefined {
  const device = change.children.find(({ name }) => name === 'device')
  const card = machine.hardware.cards.find(({ key }) => String(key) === textAt(device, 'key'))
  if (device === undefined || card === undefined || textAt(change, 'operation') !== 'edit') return badDevice
  if (device.attributes['xsi:type'] !== card.model || !isInOrder(device, cardFields)) return badDevice
  const connectable = device.children.find(({ name }) => name === 'connectable')
  if (connectable === undefined || machine.conduct.ignoresChanges) return undefined
  card.startConnected = textAt(connectable, 'startConnected') === 'true'
  card.guestControl = textAt(connectable, 'allowGuestControl') === 'true'
  card.connected = textAt(connectable, 'connected') === 'true'
  return undefined
}

function changeSettings(machine: SimulatedMachine, spec: RequestElement): void {
  const { conduct, settings } = machine
  if (conduct.ignoresChanges) return
  const told = (name: string, take: (text: string) => void) => {
    const text = textAt(spec, name)
    if (text !== undefined) take(text)
  }
  told('name', (text) => {
    machine.name = nameGiven(text)
  })
  told('annotation', (text) => {
    conduct.annotation = text
  })
  told('uuid', (text) => {
    settings.uuid = text
  })
  told('guestId', (text) => {
    settings.guestId = text
  })
  told('changeTrackingEnabled', (text) => {
    settings.changeTracking = text === 'true'
    if (!settings.changeTracking) endTracking(machine)
  })
  for (const option of spec.children.filter(({ name }) => name === 'extraConfig')) {
    const key = textAt(option, 'key')
    if (key !== undefined) settings.extraConfig.set(key, textAt(option, 'value') ?? '')
  }
}

/** `ReconfigVM_Task`: all of it or nothing. */
export function reconfigure(host: Host, machine: SimulatedMachine, spec: RequestElement | undefined): SimulatedFault | undefined {
  if (spec === undefined || !isInOrder(spec, specFields))
    return { fault: 'InvalidRequest', message: 'The fields of VirtualMachineConfigSpec are not those of the schema, or not in its order.' }
  const version = textAt(spec, 'changeVersion')
  if (version !== undefined && version !== versionOf(machine.conduct))
    return { fault: 'ConcurrentAccess', message: 'The operation cannot complete due to concurrent modification by another operation.' }
  const clash = sameName(host, machine, nameGiven(textAt(spec, 'name') ?? machine.name))
  if (clash !== undefined) return clash
  const asked = textAt(spec, 'instanceUuid')
  const instance = asked === undefined ? undefined : instanceUuidFor(host, machine, asked)
  if (typeof instance === 'object') return instance
  for (const change of spec.children.filter(({ name }) => name === 'deviceChange')) {
    const fault = changeCard(machine, change)
    if (fault !== undefined) return fault
  }
  if (textAt(spec, 'changeTrackingEnabled') === 'true' && machine.settings.hardwareVersion < 7)
    return { fault: 'NotSupported', message: 'The operation is not supported on the object.' }
  changeSettings(machine, spec)
  machine.conduct.changes += 1
  const { ignoresChanges, keepsInstanceUuid } = machine.conduct
  if (instance !== undefined && !ignoresChanges && !keepsInstanceUuid) machine.settings.instanceUuid = instance
  return undefined
}
