import { HoldfastError, type Machine, oneLine } from '@holdfast/core/spec'
import { escapeXml } from '../vim25/xml.ts'
import { osNumberOf, osTypeOf } from './guest-types.ts'
import { ovfNamespace, vmwareNamespace } from './ovf-document.ts'
import { resourceTypes } from './parse-items.ts'
import { type PlacedController, placeDisks } from './place-disks.ts'

/** A disk of a machine as it lies in a package. */
export interface PackagedDisk {
  /** Of the disk of the machine. */
  readonly key: string
  /** Its file, a streamOptimized VMDK. */
  readonly href: string
  /** Bytes of that file. */
  readonly fileBytes: number
  /** Bytes that the guest sees. */
  readonly capacity: number
  /** Bytes that hold data, for an importer that looks for room. */
  readonly dataBytes?: number
}

/** The NVRAM of a machine as it lies in a package. */
export interface PackagedNvram {
  readonly href: string
  /** Bytes of that file. */
  readonly fileBytes: number
}

const mebibyte = 1024 * 1024
const nvramId = 'nvram'
const streamOptimized = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized'
const cim = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2'
const namespaces = [
  `xmlns="${ovfNamespace}"`,
  `xmlns:ovf="${ovfNamespace}"`,
  `xmlns:rasd="${cim}/CIM_ResourceAllocationSettingData"`,
  `xmlns:vmw="${vmwareNamespace}"`,
  `xmlns:vssd="${cim}/CIM_VirtualSystemSettingData"`,
]

/** Text as it can stand in XML: without control characters, and without the two numbers that no document may hold. */
const words = (text: string): string => escapeXml(oneLine(text).replaceAll(/[\ufffe\uffff]/g, ' '))

/** vmx-13 knows NVMe and secure boot and is taken by hosts from 6.5 on; only very large machines need a newer one. */
const hardwareOf = ({ cpus, memoryBytes }: Machine): string => (cpus > 128 || memoryBytes > 6128 * 1024 * mebibyte ? 'vmx-20' : 'vmx-13')

/** Properties in the order of the standard, which is that of their names. */
const item = (properties: { readonly [name: string]: string | number | undefined }, more = ''): string => {
  const lines = Object.entries(properties)
    .filter(([, value]) => value !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, value]) => `        <rasd:${name}>${words(String(value))}</rasd:${name}>\n`)
  return `      <Item>\n${lines.join('')}${more}      </Item>\n`
}

/** Guests with a driver of virtio have one of VMXNET 3 too, but Windows, which knows E1000e by itself. */
function adapterModel(model: string | undefined, { family }: Machine['guest']): string {
  const known: { readonly [model: string]: string } = {
    vmxnet3: 'VmxNet3',
    vmxnet2: 'VmxNet2',
    e1000: 'E1000',
    e1000e: 'E1000e',
    pcnet32: 'PCNet32',
  }
  const given = model?.toLowerCase() ?? ''
  if (Object.hasOwn(known, given)) return known[given] as string
  return family === 'linux' ? 'VmxNet3' : 'E1000e'
}

function processorsAndMemory({ cpus, coresPerSocket, memoryBytes }: Machine): string {
  const fits = coresPerSocket !== undefined && coresPerSocket > 0 && cpus % coresPerSocket === 0
  const perSocket = fits ? `        <vmw:CoresPerSocket ovf:required="false">${coresPerSocket}</vmw:CoresPerSocket>\n` : ''
  // Hosts take multiples of 4 MiB.
  const memory = Math.ceil(memoryBytes / (4 * mebibyte)) * 4
  const { processor, memory: memoryType } = resourceTypes
  return [
    item(
      {
        AllocationUnits: 'hertz * 10^6',
        Description: 'Number of Virtual CPUs',
        ElementName: `${cpus} virtual CPU(s)`,
        InstanceID: 1,
        ResourceType: processor,
        VirtualQuantity: cpus,
      },
      perSocket,
    ),
    item({
      AllocationUnits: 'byte * 2^20',
      Description: 'Memory Size',
      ElementName: `${memory}MB of memory`,
      InstanceID: 2,
      ResourceType: memoryType,
      VirtualQuantity: memory,
    }),
  ].join('')
}

function devices(machine: Machine): string {
  const placed = placeDisks(machine)
  const controllers = [...new Set(placed.map(({ controller }) => controller))]
  const instanceOf = (controller: PlacedController): number => 3 + controllers.indexOf(controller)
  const afterControllers = 3 + controllers.length
  const { disk, ethernet } = resourceTypes
  return [
    ...controllers.map((each) =>
      item({
        Address: each.address,
        Description: each.title.replace(/ \d+$/, ''),
        ElementName: each.title,
        InstanceID: instanceOf(each),
        ResourceSubType: each.subType,
        ResourceType: each.type,
      }),
    ),
    ...placed.map(({ controller, unit }, index) =>
      item({
        AddressOnParent: unit,
        ElementName: `Hard disk ${index + 1}`,
        HostResource: `ovf:/disk/vmdisk${index + 1}`,
        InstanceID: afterControllers + index,
        Parent: instanceOf(controller),
        ResourceType: disk,
      }),
    ),
    ...machine.networks.map(({ name, mac, model }, index) =>
      item({
        Address: mac,
        AddressOnParent: 7 + index,
        AutomaticAllocation: 'true',
        Connection: networkName(name),
        ElementName: `Network adapter ${index + 1}`,
        InstanceID: afterControllers + placed.length + index,
        ResourceSubType: adapterModel(model, machine.guest),
        ResourceType: ethernet,
      }),
    ),
  ].join('')
}

/** One that has none must be mapped all the same. */
const networkName = (name: string): string => oneLine(name).trim() || 'network'

function boot({ firmware, secureBoot = false }: Machine, nvram: PackagedNvram | undefined): string {
  const config = (key: string, value: string) => `      <vmw:Config ovf:required="false" vmw:key="${key}" vmw:value="${value}"/>\n`
  const file = nvram && `      <vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="ovf:/file/${nvramId}"/>\n`
  if (firmware === 'bios') return config('firmware', 'bios') + (file ?? '')
  return `${config('firmware', 'efi')}${config('bootOptions.efiSecureBootEnabled', String(secureBoot))}${file ?? ''}`
}

function packaged(machine: Machine, disks: readonly PackagedDisk[]): readonly PackagedDisk[] {
  const inOrder = machine.disks.map(({ key }) => disks.find((disk) => disk.key === key))
  const missing = machine.disks.find((_, index) => inOrder[index] === undefined)
  const extra = disks.find(({ key }) => !machine.disks.some((disk) => disk.key === key))
  if (missing === undefined && extra === undefined) return inOrder as readonly PackagedDisk[]
  const what = missing === undefined ? `${extra?.href} is no disk of it` : `the disk ${missing.key} of it is not in the package`
  throw new HoldfastError('INVALID_OPTIONS', `${machine.name} cannot be described as OVF: ${what}`)
}

function diskLine({ capacity, dataBytes }: PackagedDisk, index: number): string {
  const populated = dataBytes === undefined ? '' : ` ovf:populatedSize="${dataBytes}"`
  const id = index + 1
  return `    <Disk ovf:capacity="${capacity}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk${id}" ovf:fileRef="file${id}" ovf:format="${streamOptimized}"${populated}/>\n`
}

const fileLine = (href: string, id: string, bytes: number): string =>
  `    <File ovf:href="${words(href)}" ovf:id="${id}" ovf:size="${bytes}"/>\n`

function sections(machine: Machine, disks: readonly PackagedDisk[], nvram: PackagedNvram | undefined): string {
  const networks = [...new Set(machine.networks.map(({ name }) => networkName(name)))].map(words)
  return `  <References>
${disks.map(({ href, fileBytes }, index) => fileLine(href, `file${index + 1}`, fileBytes)).join('')}${nvram === undefined ? '' : fileLine(nvram.href, nvramId, nvram.fileBytes)}  </References>
  <DiskSection>
    <Info>List of the virtual disks</Info>
${disks.map(diskLine).join('')}  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>
${networks.map((name) => `    <Network ovf:name="${name}">\n      <Description>The ${name} network</Description>\n    </Network>\n`).join('')}  </NetworkSection>
`
}

/**
 * A descriptor of OVF 1 for a machine of any platform, as hosts from 6.5 on import it. Disks at virtio get a paravirtual SCSI controller, the others one of
 * their kind; a TPM is left out, since its content does not travel. `disks` are those of the machine, each with its file.
 *
 * Source of the order and the meaning of fields: DSP0243, https://www.dmtf.org/standards/ovf; of the keys with `vmw`: descriptors of VMware.
 * @throws INVALID_OPTIONS: a disk without a file, or a file without a disk. UNSUPPORTED: more disks than a machine of VMware can have.
 */
export function writeOvf(machine: Machine, disks: readonly PackagedDisk[], nvram?: PackagedNvram): string {
  const inOrder = packaged(machine, disks)
  const name = words(machine.name)
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope ${namespaces.join(' ')}>
${sections(machine, inOrder, nvram)}  <VirtualSystem ovf:id="${name}">
    <Info>A virtual machine</Info>
    <Name>${name}</Name>
    <OperatingSystemSection ovf:id="${osNumberOf(machine.guest)}" vmw:osType="${osTypeOf(machine.guest)}">
      <Info>The operating system installed</Info>
      <Description>${words(machine.guest.id ?? machine.guest.family)}</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${name}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>${hardwareOf(machine)}</vssd:VirtualSystemType>
      </System>
${processorsAndMemory(machine)}${devices(machine)}${boot(machine, nvram)}    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`
}
