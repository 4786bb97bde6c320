import { HoldfastError } from '@holdfast/core/spec'
import { xsi } from '../vim25/encode.ts'
import { attributeOf, childOf, type XmlElement } from '../vim25/xml.ts'

/** What is changed in an import specification before the host gets it back. Everything else stays as the host wrote it. */
export interface SpecChanges {
  annotation(current: string | undefined): string
  /** Leave the choice of addresses and UUIDs to the host. */
  readonly newIdentity: boolean
  /** Leave the choice of the UUID that the host tells machines apart by to it; what the guest sees stays. */
  readonly newInstance?: boolean
  /** Whether a card on this network is plugged in; undefined: as the specification says. Told by the value of the reference, or the key of the port group. */
  connected?(network: string | undefined): boolean
}

/** Fields of `VirtualMachineConfigSpec` that come before `annotation` in the schema. */
const beforeAnnotation = new Set([
  'changeVersion',
  'name',
  'version',
  'createDate',
  'uuid',
  'instanceUuid',
  'npivNodeWorldWideName',
  'npivPortWorldWideName',
  'npivWorldWideNameType',
  'npivDesiredNodeWwns',
  'npivDesiredPortWwns',
  'npivTemporaryDisabled',
  'npivOnNonRdmDisks',
  'npivWorldWideNameOp',
  'locationId',
  'guestId',
  'alternateGuestName',
])

const textElement = (like: XmlElement, name: string, text: string): XmlElement => ({
  name,
  namespace: like.namespace,
  attributes: [],
  children: [],
  text,
  namespaces: like.namespaces,
})

const withChildren = (element: XmlElement, children: readonly XmlElement[]): XmlElement => ({ ...element, children })

function typeOf(element: XmlElement): string {
  return (attributeOf(element, 'type', xsi) ?? '').replace(/^.*:/, '')
}

/** Puts a value in its place: over what was there, otherwise before the first child that comes after it. */
function withText(element: XmlElement, name: string, text: string, before: ReadonlySet<string>): XmlElement {
  const others = element.children.filter((child) => child.name !== name)
  const found = element.children.findIndex((child) => child.name === name)
  const after = others.findIndex((child) => !before.has(child.name))
  const at = found >= 0 ? found : after < 0 ? others.length : after
  return withChildren(element, [...others.slice(0, at), textElement(element, name, text), ...others.slice(at)])
}

const isCard = (device: XmlElement): boolean =>
  device.children.some(({ name }) => name === 'addressType' || name === 'macAddress') || cards.test(typeOf(device))
const cards = /^Virtual(EthernetCard|E1000e?|PCNet32|Vmxnet[23]?|Vmxnet3Vrdma|SriovEthernetCard)$/

function networkOf(card: XmlElement): string | undefined {
  const backing = childOf(card, 'backing')
  if (backing === undefined) return undefined
  const port = childOf(backing, 'port')
  const found = childOf(backing, 'network') ?? (port && childOf(port, 'portgroupKey')) ?? childOf(backing, 'opaqueNetworkId')
  return found?.text
}

function withConnection(card: XmlElement, connected: boolean): XmlElement {
  const value = String(connected)
  return withChildren(
    card,
    card.children.map((child) =>
      child.name === 'connectable'
        ? withChildren(
            child,
            child.children.map((field) =>
              field.name === 'startConnected' || field.name === 'connected' ? { ...field, text: value } : field,
            ),
          )
        : child,
    ),
  )
}

const connectFields = ['startConnected', 'allowGuestControl', 'connected'] as const

/** A card without a word on its connection would be connected. `connectable` comes after `backing`. */
function withConnectable(card: XmlElement): XmlElement {
  if (childOf(card, 'connectable') !== undefined) return card
  const fields = connectFields.map((name) => textElement(card, name, String(name === 'allowGuestControl')))
  const connectable = withChildren(textElement(card, 'connectable', ''), fields)
  const at = card.children.findIndex(({ name }) => !['key', 'deviceInfo', 'backing'].includes(name))
  const cut = at < 0 ? card.children.length : at
  return withChildren(card, [...card.children.slice(0, cut), connectable, ...card.children.slice(cut)])
}

function changedCard(card: XmlElement, { newIdentity, connected }: SpecChanges): XmlElement {
  let changed = card
  if (connected !== undefined) changed = withConnection(withConnectable(changed), connected(networkOf(card)))
  if (!newIdentity) return changed
  const children = changed.children.filter(({ name }) => name !== 'macAddress')
  return withChildren(
    changed,
    children.map((child) => (child.name === 'addressType' ? { ...child, text: 'generated' } : child)),
  )
}

/** What the host tells machines apart by, and what besides that a guest and its licences see. */
const identities = {
  instance: { fields: ['instanceUuid'], option: /^vc\.uuid$/ },
  all: { fields: ['uuid', 'instanceUuid'], option: /^(uuid\.(bios|location)|vc\.uuid)$/ },
}

function withoutIdentity(fields: readonly XmlElement[], { newIdentity, newInstance }: SpecChanges): readonly XmlElement[] {
  const dropped = newIdentity ? identities.all : newInstance ? identities.instance : undefined
  if (dropped === undefined) return fields
  const isOption = (field: XmlElement) => field.name === 'extraConfig' && dropped.option.test(childOf(field, 'key')?.text ?? '')
  return fields.filter((field) => !dropped.fields.includes(field.name) && !isOption(field))
}

function changedConfig(config: XmlElement, changes: SpecChanges): XmlElement {
  const children = withoutIdentity(config.children, changes).map((change) =>
    change.name !== 'deviceChange'
      ? change
      : withChildren(
          change,
          change.children.map((device) => (device.name === 'device' && isCard(device) ? changedCard(device, changes) : device)),
        ),
  )
  return withText(withChildren(config, children), 'annotation', changes.annotation(childOf(config, 'annotation')?.text), beforeAnnotation)
}

/**
 * An import specification with our changes, for ImportVApp.
 * @throws UNSUPPORTED: it is not about one machine.
 *
 * Source: VirtualMachineImportSpec, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.VmImportSpec.html
 */
export function changedSpec(spec: XmlElement, changes: SpecChanges): XmlElement {
  const config = childOf(spec, 'configSpec')
  if (typeOf(spec) !== 'VirtualMachineImportSpec' || config === undefined)
    throw new HoldfastError('UNSUPPORTED', `The host would make a ${typeOf(spec) || 'thing'} of this descriptor, not one machine.`, {
      remedy: 'Restore a point of one machine. A vApp of several is not supported.',
    })
  return withChildren(
    spec,
    spec.children.map((child) => (child === config ? changedConfig(child, changes) : child)),
  )
}
