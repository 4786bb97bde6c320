import { showValue } from '@holdfast/core/spec'
import type { XmlElement } from '../vim25/xml.ts'
import { type OvfDocument, ovfAttribute, ovfChild, ovfChildren, vmwareNamespace, wholeNumber } from './ovf-document.ts'
import { withUnit } from './parse-references.ts'

/** One `Item` of the virtual hardware. */
export interface HardwareItem {
  readonly element: XmlElement
  /** The number of CIM, for example 17 for a disk. */
  readonly type: number
  readonly instance: string
  /** The text of a property; undefined when it is absent or empty. */
  text(name: string): string | undefined
  texts(name: string): readonly string[]
}

/** CIM_ResourceAllocationSettingData, ResourceType. */
export const resourceTypes = {
  processor: 3,
  memory: 4,
  ideController: 5,
  scsiController: 6,
  ethernet: 10,
  floppy: 14,
  cdDrive: 15,
  dvdDrive: 16,
  disk: 17,
  otherStorage: 20,
  usbController: 23,
} as const

const settingData = 'CIM_ResourceAllocationSettingData'
/** What OVF 1.0 calls otherwise than the drafts before it. */
const olderNames: { readonly [name: string]: string } = { InstanceID: 'InstanceId', ElementName: 'Caption' }

function itemOf(document: OvfDocument, element: XmlElement): HardwareItem {
  const texts = (name: string): readonly string[] =>
    element.children
      .filter((child) => child.namespace.endsWith(settingData) && (child.name === name || child.name === olderNames[name]))
      .map((child) => child.text.trim())
      .filter((text) => text !== '')
  const text = (name: string) => texts(name)[0]
  const [type, instance] = [text('ResourceType'), text('InstanceID')]
  if (type === undefined) throw document.fault(element, 'the <Item> has no ResourceType')
  if (instance === undefined) throw document.fault(element, 'the <Item> has no InstanceID')
  return { element, type: wholeNumber(document, element, type, 'ResourceType', 65_535), instance, text, texts }
}

/** The configuration of a deployment that is taken when nobody chooses: the one that says so, or else the first. */
function defaultConfiguration({ root }: OvfDocument): string | undefined {
  const sections = ovfChildren(root, 'DeploymentOptionSection')
  const configurations = sections.flatMap((section) => ovfChildren(section, 'Configuration'))
  const chosen = configurations.find((each) => /^(true|1)$/.test(ovfAttribute(each, 'default') ?? '')) ?? configurations[0]
  return chosen === undefined ? undefined : ovfAttribute(chosen, 'id')
}

/** The devices of the default configuration. An item of a configuration takes the place of the one with its instance; bounds are no devices. */
export function itemsOf(document: OvfDocument, hardware: XmlElement): readonly HardwareItem[] {
  const chosen = defaultConfiguration(document)
  const items = new Map<string, HardwareItem & { readonly special: boolean }>()
  for (const element of ovfChildren(hardware, 'Item')) {
    if (ovfAttribute(element, 'bound') !== undefined) continue
    const configurations = ovfAttribute(element, 'configuration')?.split(/\s+/) ?? []
    const special = configurations.length > 0
    if (special && (chosen === undefined || !configurations.includes(chosen))) continue
    const item = itemOf(document, element)
    const earlier = items.get(item.instance)
    if (earlier !== undefined && earlier.special === special)
      throw document.fault(element, `the InstanceID ${showValue(item.instance)} is there twice`)
    if (earlier === undefined || special) items.set(item.instance, { ...item, special })
  }
  return [...items.values()]
}

/** Settings that VMware keeps beside the items, by key: `vmw:Config` and `vmw:ExtraConfig`. */
export function vmwareSettings(hardware: XmlElement): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const child of hardware.children) {
    if (child.namespace !== vmwareNamespace || (child.name !== 'Config' && child.name !== 'ExtraConfig')) continue
    const named = (name: string) => child.attributes.find((each) => each.name === name && each.namespace !== '')?.value
    const [key, value] = [named('key'), named('value')]
    if (key !== undefined && value !== undefined) settings.set(key, value)
  }
  return settings
}

/** The number of an item, in its units; undefined when the item has none. */
export function quantityOf(document: OvfDocument, item: HardwareItem, what: string): number | undefined {
  const quantity = item.text('VirtualQuantity')
  return quantity === undefined ? undefined : withUnit(document, item.element, quantity, item.text('AllocationUnits'), what)
}

/** `VirtualHardwareSection`s name their family; several are alternatives, and the first is taken. */
export function hardwareFamilies(hardware: XmlElement): readonly string[] {
  const system = ovfChild(hardware, 'System')
  const words = system?.children.find(({ name }) => name === 'VirtualSystemType')?.text ?? ''
  return words.split(/[\s,]+/).filter((word) => word !== '')
}
