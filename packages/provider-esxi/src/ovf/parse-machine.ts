import { HoldfastError, showValue } from '@holdfast/core/spec'
import { attributeOf, type XmlElement } from '../vim25/xml.ts'
import {
  type OvfDocument,
  ovfAttribute,
  ovfChild,
  ovfChildren,
  ovfFault,
  requiredAttribute,
  vmwareNamespace,
  wholeNumber,
} from './ovf-document.ts'
import type { OvfMachine } from './ovf-types.ts'
import { adaptersOf, controllersOf, drivesOf, type Named, removablesOf } from './parse-devices.ts'
import { type HardwareItem, hardwareFamilies, itemsOf, quantityOf, resourceTypes, vmwareSettings } from './parse-items.ts'

/** Also the only one of a collection: some writers put every machine into one. */
function systemOf(document: OvfDocument): XmlElement {
  const found: XmlElement[] = []
  const gather = (element: XmlElement): void => {
    found.push(...ovfChildren(element, 'VirtualSystem'))
    for (const collection of ovfChildren(element, 'VirtualSystemCollection')) gather(collection)
  }
  gather(document.root)
  const [system, ...more] = found
  if (system === undefined) throw ovfFault(document.context, 'there is no VirtualSystem in it')
  if (more.length === 0) return system
  const names = found.slice(0, 5).map((each) => showValue(ovfAttribute(each, 'id') ?? ''))
  throw new HoldfastError('UNSUPPORTED', `${document.context.what} describes ${found.length} machines: ${names.join(', ')}`, {
    remedy: 'Export each machine by itself: a package of several is not taken.',
  })
}

const isTrue = (value: string | undefined): boolean => /^(true|1|yes)$/i.test(value?.trim() ?? '')

/** VirtualBox keeps it in its own part of the descriptor. */
function virtualBoxFirmware(system: XmlElement): string | undefined {
  const machine = system.children.find(({ name, namespace }) => name === 'Machine' && namespace.includes('virtualbox.org'))
  const hardware = machine?.children.find(({ name }) => name === 'Hardware')
  const firmware = hardware?.children.find(({ name }) => name === 'Firmware')
  return firmware === undefined ? undefined : attributeOf(firmware, 'type')
}

function bootOf(document: OvfDocument, system: XmlElement, hardware: XmlElement, { files }: Named) {
  const settings = vmwareSettings(hardware)
  const firmware = (settings.get('firmware') ?? virtualBoxFirmware(system) ?? 'bios').toLowerCase()
  const secure = settings.get('bootOptions.efiSecureBootEnabled') ?? settings.get('uefi.secureBoot.enabled')
  const [, nvram] = /^(?:ovf:)?\/{1,2}file\/(.+)$/.exec(settings.get('nvram') ?? '') ?? []
  if (nvram !== undefined && !files.some(({ id }) => id === nvram))
    throw document.fault(hardware, `the NVRAM is in the file ${showValue(nvram)}, which References does not have`)
  return {
    firmware: firmware.startsWith('efi') || firmware.startsWith('uefi') ? 'efi' : 'bios',
    secureBoot: isTrue(secure),
    ...(nvram !== undefined && { nvramFileRef: nvram }),
  } as const
}

function only(document: OvfDocument, hardware: XmlElement, items: readonly HardwareItem[], type: number, what: string): HardwareItem {
  const [item, second] = items.filter((each) => each.type === type)
  if (item === undefined) throw document.fault(hardware, `the machine has no item for its ${what}`)
  if (second !== undefined) throw document.fault(second.element, `the machine has two items for its ${what}`)
  return item
}

function processorsOf(document: OvfDocument, hardware: XmlElement, items: readonly HardwareItem[]) {
  const item = only(document, hardware, items, resourceTypes.processor, 'processors')
  const cpus = wholeNumber(document, item.element, item.text('VirtualQuantity') ?? '', 'the number of processors', 4096)
  const per = item.element.children.find(({ name, namespace }) => name === 'CoresPerSocket' && namespace === vmwareNamespace)
  const coresPerSocket = per === undefined ? undefined : wholeNumber(document, per, per.text, 'CoresPerSocket', 4096)
  if (cpus === 0) throw document.fault(item.element, 'the machine has no processor')
  if (coresPerSocket !== undefined && (coresPerSocket === 0 || cpus % coresPerSocket !== 0))
    throw document.fault(item.element, `${cpus} processors cannot be in sockets of ${coresPerSocket}`)
  return { cpus, ...(coresPerSocket !== undefined && { coresPerSocket }) }
}

function memoryOf(document: OvfDocument, hardware: XmlElement, items: readonly HardwareItem[]): number {
  const item = only(document, hardware, items, resourceTypes.memory, 'memory')
  const bytes = quantityOf(document, item, 'the memory')
  if (bytes === undefined || bytes === 0) throw document.fault(item.element, 'the machine has no memory')
  return bytes
}

function guestOf(system: XmlElement) {
  const section = ovfChild(system, 'OperatingSystemSection')
  const osType = section === undefined ? undefined : attributeOf(section, 'osType', vmwareNamespace)
  const osDescription = section === undefined ? undefined : ovfChild(section, 'Description')?.text.trim()
  return { ...(osType && { osType }), ...(osDescription && { osDescription }) }
}

/** The machine and its devices; whatever they name must be in the package. */
export function machineOf(document: OvfDocument, named: Named): OvfMachine {
  const system = systemOf(document)
  const hardware = ovfChild(system, 'VirtualHardwareSection')
  if (hardware === undefined) throw document.fault(system, 'the machine has no VirtualHardwareSection')
  const items = itemsOf(document, hardware)
  const id = requiredAttribute(document, system, 'id')
  const controllers = controllersOf(items)
  return {
    id,
    name: ovfChild(system, 'Name')?.text.trim() || id,
    ...guestOf(system),
    hardware: hardwareFamilies(hardware),
    ...processorsOf(document, hardware, items),
    memoryBytes: memoryOf(document, hardware, items),
    ...bootOf(document, system, hardware, named),
    controllers,
    drives: drivesOf(document, items, named, controllers),
    removables: removablesOf(document, items, named),
    adapters: adaptersOf(document, items, named),
  }
}
