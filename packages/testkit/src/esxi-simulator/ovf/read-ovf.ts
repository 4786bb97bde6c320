import type { SimulatedFault } from '../soap-answer.ts'
import { parseElement, type RequestElement, textAt } from '../soap-request.ts'
import {
  cardTypes,
  controllerTypes,
  type OvfCard,
  type OvfController,
  type OvfDisk,
  type OvfFile,
  type OvfPackage,
  resourceTypes,
} from './ovf-package.ts'

/** What came of reading a descriptor. With errors there is no package. */
export interface OvfReading {
  readonly package?: OvfPackage
  readonly errors: readonly SimulatedFault[]
  readonly warnings: readonly SimulatedFault[]
}

const childrenOf = (element: RequestElement | undefined, name: string): readonly RequestElement[] =>
  (element?.children ?? []).filter((child) => child.name === name)
const childOf = (element: RequestElement | undefined, name: string): RequestElement | undefined => childrenOf(element, name)[0]

const invalid = (message: string): SimulatedFault => ({ fault: 'OvfInvalidPackage', message })
const unsupported = (message: string): SimulatedFault => ({ fault: 'OvfUnsupportedPackage', message })

/** `byte`, `byte * 2^20` and the like, as DSP0004 writes units. */
function factorOf(units: string | undefined): number | undefined {
  if (units === undefined) return 1
  const found = /^byte(?:\s*\*\s*(\d+)\s*\^\s*(\d+))?$/.exec(units.trim())
  return found === null ? undefined : Number(found[1] ?? 1) ** Number(found[2] ?? 1)
}

/** Settings that the simulated host understands. */
const knownSettings = new Set([
  'firmware',
  'uuid',
  'bootOptions.efiSecureBootEnabled',
  'cpuHotAddEnabled',
  'memoryHotAddEnabled',
  'tools.syncTimeWithHost',
])

interface Findings {
  readonly text: string
  readonly errors: SimulatedFault[]
  readonly warnings: SimulatedFault[]
}

/** Line of the second element with such an attribute. */
function lineOf(text: string, attribute: string, value: string): number {
  const needle = `${attribute}="${value}"`
  return text.slice(0, Math.max(0, text.indexOf(needle, text.indexOf(needle) + 1))).split('\n').length
}

function refuseDuplicates({ text, errors }: Findings, elements: readonly RequestElement[], attribute: string): void {
  const seen = new Set<string>()
  for (const { name, attributes } of elements) {
    const id = attributes[attribute] ?? ''
    if (seen.has(id)) errors.push(invalid(`Line ${lineOf(text, `ovf:${attribute}`, id)}: Duplicate element '${name}'.`))
    seen.add(id)
  }
}

function filesOf(envelope: RequestElement, findings: Findings): readonly OvfFile[] {
  const elements = childrenOf(childOf(envelope, 'References'), 'File')
  refuseDuplicates(findings, elements, 'id')
  return elements.map(({ attributes: { id = '', href = '', size, compression, chunkSize } }) => {
    if (id === '' || href === '') findings.errors.push(invalid("Missing required attribute 'href' or 'id' in element 'File'."))
    return {
      id,
      href,
      size: size === undefined ? undefined : Number(size),
      ...(compression !== undefined && { compression }),
      ...(chunkSize !== undefined && { chunkSize: Number(chunkSize) }),
    }
  })
}

type DiskElement = Pick<OvfDisk, 'capacity' | 'populatedSize' | 'file'>

function diskElements(envelope: RequestElement, files: readonly OvfFile[], findings: Findings): ReadonlyMap<string, DiskElement> {
  const elements = childrenOf(childOf(envelope, 'DiskSection'), 'Disk')
  refuseDuplicates(findings, elements, 'diskId')
  return new Map(
    elements.map(({ attributes: { diskId = '', capacity = '', capacityAllocationUnits, fileRef, format = '', populatedSize } }) => {
      const factor = factorOf(capacityAllocationUnits)
      if (factor === undefined || !/^\d+$/.test(capacity)) findings.errors.push(invalid(`The capacity of disk '${diskId}' cannot be read.`))
      if (fileRef !== undefined && !files.some(({ id }) => id === fileRef))
        findings.errors.push(invalid(`Disk '${diskId}' refers to file '${fileRef}', which is not in the section of references.`))
      if (fileRef !== undefined && !format.endsWith('#streamOptimized'))
        findings.errors.push(unsupported(`Unsupported disk format '${format}'.`))
      return [
        diskId,
        {
          capacity: Number(capacity) * (factor ?? 1),
          ...(populatedSize !== undefined && { populatedSize: Number(populatedSize) }),
          ...(fileRef !== undefined && { file: fileRef }),
        },
      ]
    }),
  )
}

const resourceOf = (item: RequestElement): string => textAt(item, 'ResourceType') ?? ''

function controllerOf(items: readonly RequestElement[], parent: string | undefined): OvfController | undefined {
  const controller = items.find((one) => textAt(one, 'InstanceID') === parent)
  if (controller === undefined) return undefined
  const subtype = (textAt(controller, 'ResourceSubType') ?? '').toLowerCase()
  const fits = controllerTypes.filter(({ resource }) => resource === resourceOf(controller))
  const found = fits.find((one) => one.subtype.toLowerCase() === subtype) ?? (subtype === '' ? fits[0] : undefined)
  return found && { type: found.type, bus: Number(textAt(controller, 'Address') ?? 0) }
}

function disksOf(items: readonly RequestElement[], disks: ReadonlyMap<string, DiskElement>, findings: Findings): readonly OvfDisk[] {
  return items
    .filter((one) => resourceOf(one) === resourceTypes.disk)
    .flatMap((one) => {
      const id = /^(?:ovf:)?\/disk\/(.+)$/.exec(textAt(one, 'HostResource') ?? '')?.[1] ?? ''
      const disk = disks.get(id)
      const controller = controllerOf(items, textAt(one, 'Parent'))
      if (disk === undefined)
        findings.errors.push(invalid(`Item '${textAt(one, 'ElementName')}' refers to disk '${id}', which is not described.`))
      if (controller === undefined) findings.errors.push(unsupported(`Unsupported parent of item '${textAt(one, 'ElementName')}'.`))
      return disk === undefined || controller === undefined
        ? []
        : [{ ...disk, controller, unit: Number(textAt(one, 'AddressOnParent') ?? 0) }]
    })
}

function cardsOf(items: readonly RequestElement[], networks: readonly string[], findings: Findings): readonly OvfCard[] {
  return items
    .filter((one) => resourceOf(one) === resourceTypes.card)
    .map((one) => {
      const network = textAt(one, 'Connection') ?? ''
      if (!networks.includes(network))
        findings.errors.push(invalid(`Network '${network}' of '${textAt(one, 'ElementName')}' is not in the network section.`))
      const subtype = (textAt(one, 'ResourceSubType') ?? 'E1000').toLowerCase()
      const mac = textAt(one, 'Address')
      const type = cardTypes.find((card) => card.subtype.toLowerCase() === subtype)?.type
      if (type === undefined) findings.errors.push(unsupported(`Unsupported network card '${subtype}'.`))
      return { type: type ?? 'VirtualE1000', network, ...(mac !== undefined && { mac }) }
    })
}

/** What a setting is; settings that are not known are an error where they are required. */
function settingOf(hardware: RequestElement | undefined, kind: 'Config' | 'ExtraConfig', key: string): string | undefined {
  return childrenOf(hardware, kind).find(({ attributes }) => attributes.key === key)?.attributes.value
}

function lookAtSettings(hardware: RequestElement | undefined, { errors, warnings }: Findings): void {
  for (const { attributes } of childrenOf(hardware, 'Config')) {
    if (knownSettings.has(attributes.key ?? '')) continue
    const list = attributes.required === 'false' ? warnings : errors
    list.push(unsupported(`The configuration '${attributes.key}' is not supported.`))
  }
}

function quantity(items: readonly RequestElement[], type: string): number {
  return Number(items.filter((one) => resourceOf(one) === type).map((one) => textAt(one, 'VirtualQuantity'))[0] ?? 0)
}

function machineIn(envelope: RequestElement, system: RequestElement, findings: Findings): OvfPackage {
  const hardware = childOf(system, 'VirtualHardwareSection')
  const items = childrenOf(hardware, 'Item')
  const networks = childrenOf(childOf(envelope, 'NetworkSection'), 'Network').map(({ attributes }) => attributes.name ?? '')
  const files = filesOf(envelope, findings)
  const disks = disksOf(items, diskElements(envelope, files, findings), findings)
  const nvram = settingOf(hardware, 'ExtraConfig', 'nvram')?.replace(/^ovf:\/file\//, '')
  const uuid = settingOf(hardware, 'Config', 'uuid')
  const annotation = textAt(childOf(system, 'AnnotationSection'), 'Annotation')
  lookAtSettings(hardware, findings)
  const version = textAt(childOf(hardware, 'System'), 'VirtualSystemType') ?? ''
  if (!/^vmx-(0[4-9]|1\d|2[01])$/.test(version)) findings.errors.push(unsupported(`Unsupported hardware family '${version}'.`))
  return {
    name: textAt(system, 'Name') ?? system.attributes.id ?? '',
    guestId: childOf(system, 'OperatingSystemSection')?.attributes.osType ?? 'otherGuest',
    version,
    cpus: quantity(items, resourceTypes.cpu),
    memoryMb: quantity(items, resourceTypes.memory),
    firmware: settingOf(hardware, 'Config', 'firmware') === 'efi' ? 'efi' : 'bios',
    secureBoot: settingOf(hardware, 'Config', 'bootOptions.efiSecureBootEnabled') === 'true',
    ...(annotation !== undefined && { annotation }),
    ...(uuid !== undefined && { uuid }),
    files,
    disks,
    cards: cardsOf(items, networks, findings),
    drives: items
      .filter((one) => resourceOf(one) === resourceTypes.cd)
      .map((one) => {
        const file = /^(?:ovf:)?\/file\/(.+)$/.exec(textAt(one, 'HostResource') ?? '')?.[1]
        return file === undefined ? {} : { file }
      }),
    ...(nvram !== undefined && { nvram }),
    networks,
  }
}

/** Reads a descriptor as strictly as hosts do. */
export function readOvf(text: string): OvfReading {
  const envelope = parseElement(text)
  const findings: Findings = { text, errors: [], warnings: [] }
  const system = childOf(envelope, 'VirtualSystem')
  if (envelope?.name !== 'Envelope' || system === undefined)
    return { errors: [invalid('Line 1: The descriptor is no valid XML of a machine.')], warnings: [] }
  const described = machineIn(envelope, system, findings)
  for (const id of [described.nvram, ...described.drives.map(({ file }) => file)])
    if (id !== undefined && !described.files.some((file) => file.id === id))
      findings.errors.push(invalid(`A device refers to file '${id}', which is not in the section of references.`))
  const { errors, warnings } = findings
  return errors.length > 0 ? { errors, warnings } : { package: described, errors, warnings }
}
