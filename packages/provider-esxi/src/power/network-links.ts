import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { isData } from '../vim25/decode.ts'
import { isDataType } from '../vim25/field.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { Data } from '../vim25/values.ts'
import { readSwitched, type SwitchedMachine } from './power-state.ts'

type Device = Data<'VirtualDevice'>
type Card = Data<'VirtualEthernetCard'>

const isCard = (device: Device): device is Card => isData(device, 'VirtualEthernetCard')
/** A card of a class that came after this software: it can be seen, and not changed. */
const isUnknownCard = ({ $type = '' }: Device): boolean => !isDataType($type) && /ethernet|vmxnet|e1000|pcnet/i.test($type)

/** Network cards of a machine that are not as wanted. Cut means: not connected when it starts, not now, and not by the guest. */
export function cardsNot(wanted: 'connected' | 'cut', { devices, powerState }: SwitchedMachine): readonly Device[] {
  // Of a machine that is off a host may say anything about now.
  const now = (link: boolean) => (powerState === 'poweredOn' ? link : wanted === 'connected')
  const isWanted = ({ connectable: card }: Device): boolean =>
    card !== undefined &&
    (wanted === 'cut'
      ? !(card.startConnected || card.allowGuestControl || now(card.connected))
      : card.startConnected && now(card.connected))
  return devices.filter((device) => isUnknownCard(device) || (isCard(device) && !isWanted(device)))
}

export const countCards = (devices: readonly Device[]): number => devices.filter((device) => isCard(device) || isUnknownCard(device)).length

/**
 * A card as it is sent back. A backing of a class that we do not know is left out, and stays as it is.
 *
 * Source: https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.device.VirtualDeviceSpec.html: of an edit only what is set is changed.
 */
function edited(card: Card, connectable: Data<'VirtualDeviceConnectInfo'>): Data<'VirtualDeviceConfigSpec'> {
  const { $type = 'VirtualEthernetCard', key, backing, controllerKey, unitNumber, addressType, macAddress, wakeOnLanEnabled } = card
  const known = backing?.$type !== undefined && isDataType(backing.$type)
  const device = {
    $type,
    key,
    connectable,
    ...(known && { backing }),
    ...(controllerKey !== undefined && { controllerKey }),
    ...(unitNumber !== undefined && { unitNumber }),
    ...(addressType !== undefined && { addressType }),
    ...(macAddress !== undefined && { macAddress }),
    ...(wakeOnLanEnabled !== undefined && { wakeOnLanEnabled }),
  }
  return { operation: 'edit', device }
}

/**
 * Connects or cuts all network cards of a machine, and reads back that it is so. "Already so" changes nothing. A cut card cannot be connected by the guest; one that is
 * connected again can.
 * @throws UNSUPPORTED: a card of a class that we do not know. PROVIDER_FAILED: the host took it, and it is not so. IN_USE, UNREACHABLE, ACCESS_DENIED.
 */
export async function linkCards(
  connection: Connection,
  machine: SwitchedMachine,
  wanted: 'connected' | 'cut',
  options: CallOptions,
): Promise<void> {
  const { ref, name, powerState } = machine
  const others = cardsNot(wanted, machine)
  if (others.length === 0) return
  const unknown = others.find(isUnknownCard)
  if (unknown !== undefined)
    throw new HoldfastError('UNSUPPORTED', `${name} has a network card of the class ${unknown.$type}, which this version cannot change.`, {
      remedy: 'Set in the host client whether it is connected, or update Holdfast.',
    })
  const link = wanted === 'connected'
  const connectable = { startConnected: link, allowGuestControl: link, connected: link && powerState === 'poweredOn' }
  const spec = { deviceChange: others.filter(isCard).map((card) => edited(card, connectable)) }
  await againWhile(connection, busy, () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { ...options, name }), options)
  const left = cardsNot(wanted, await readSwitched(connection, ref, options))
  if (left.length > 0)
    throw new HoldfastError(
      'PROVIDER_FAILED',
      `${nameOf(connection.settings)} has not ${link ? 'connected' : 'cut'} ${left.length} network cards of ${name}.`,
    )
}
