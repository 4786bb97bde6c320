import { createHash } from 'node:crypto'
import { HoldfastError, type Machine, type RestoreSource, type StoredDisk, type StoredFile } from '@holdfast/core/spec'
import { memoryMappedBlocks, seededRandom, vmdkOf } from '@holdfast/testkit'

/** What a point of an export is made of. Everything has a default. */
export interface PointOptions {
  /** Bytes of the disks. Default: two, of 1 MiB and 256 KiB. */
  readonly disks?: readonly Uint8Array[]
  /** The disks are kept as clusters, as a chain keeps them, and not as they came. */
  readonly chain?: boolean
  readonly networks?: readonly string[]
  /** `ovf:required="false"` makes warnings of settings that the host does not know; `true` errors. */
  readonly unknownSettings?: readonly { readonly key: string; readonly required: boolean }[]
  readonly annotation?: string
  /** Changes the descriptor. */
  change?(descriptor: string): string
  /** Changes a file that is kept: what it is read as, or `undefined` for none. */
  file?(name: string, file: StoredFile): StoredFile | undefined
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** A stored file; the chunks of a real one are lent. */
export function storedFile(name: string, format: StoredFile['format'], bytes: Uint8Array): StoredFile {
  const lent = new Uint8Array(Math.min(65_536, Math.max(1, bytes.length)))
  return {
    name,
    format,
    size: bytes.length,
    sha256: sha256(bytes),
    async open({ signal }) {
      return (async function* () {
        for (let at = 0; at < bytes.length; at += lent.length) {
          signal.throwIfAborted()
          const part = bytes.subarray(at, at + lent.length)
          lent.set(part)
          yield lent.subarray(0, part.length)
          lent.fill(0xee)
        }
      })()
    },
  }
}

/** A file of which the last byte is found to be wrong, as a repository finds it: when all has been read. */
export const damagedAtEnd = (file: StoredFile): StoredFile => ({
  ...file,
  async open(options) {
    const bytes = await file.open(options)
    return (async function* () {
      yield* bytes
      throw new HoldfastError('CHECKSUM_MISMATCH', `${file.name} differs from its sum`)
    })()
  },
})

const bytesOfDisk = (index: number, size: number): Uint8Array => {
  const disk = new Uint8Array(size)
  disk.set(
    seededRandom(7)
      .fork(`disk ${index}`)
      .bytes(Math.floor(size / 3)),
    65_536,
  )
  return disk
}
export const defaultDisks = [bytesOfDisk(0, 1024 * 1024), bytesOfDisk(1, 256 * 1024)]
export const nvram = seededRandom(8).bytes(8684)
export const image = seededRandom(9).bytes(40_000)

const item = (fields: { readonly [name: string]: string | number }): string =>
  `<Item>${Object.entries(fields)
    .map(([name, value]) => `<rasd:${name}>${value}</rasd:${name}>`)
    .join('')}</Item>`

function descriptorOf(
  files: readonly { readonly name: string; readonly size: number }[],
  disks: readonly Uint8Array[],
  options: PointOptions,
): string {
  const { networks = ['VM Network'], unknownSettings = [], annotation } = options
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData">
<References>${files.map(({ name, size }, index) => `<File ovf:href="${name}" ovf:id="file${index}" ovf:size="${size}"/>`).join('\n')}</References>
<DiskSection><Info>disks</Info>${disks
    .map(
      (disk, index) =>
        `<Disk ovf:capacity="${disk.length}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk${index}" ovf:fileRef="file${index}" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>`,
    )
    .join('\n')}</DiskSection>
<NetworkSection><Info>networks</Info>${networks.map((name) => `<Network ovf:name="${name}"><Description>a network</Description></Network>`).join('')}</NetworkSection>
<VirtualSystem ovf:id="web"><Info>A virtual machine</Info><Name>web</Name>
<OperatingSystemSection ovf:id="96" vmw:osType="debian11_64Guest"><Info>guest</Info></OperatingSystemSection>
<VirtualHardwareSection><Info>hardware</Info>
<System><vssd:ElementName>Virtual Hardware Family</vssd:ElementName><vssd:InstanceID>0</vssd:InstanceID><vssd:VirtualSystemIdentifier>web</vssd:VirtualSystemIdentifier><vssd:VirtualSystemType>vmx-19</vssd:VirtualSystemType></System>
${item({ AllocationUnits: 'hertz * 10^6', ElementName: '2 virtual CPU(s)', InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 })}
${item({ AllocationUnits: 'byte * 2^20', ElementName: '1024MB of memory', InstanceID: 2, ResourceType: 4, VirtualQuantity: 1024 })}
${item({ Address: 0, ElementName: 'SCSI 0', InstanceID: 3, ResourceSubType: 'VirtualSCSI', ResourceType: 6 })}
${item({ Address: 1, ElementName: 'IDE 1', InstanceID: 4, ResourceType: 5 })}
${disks.map((_, index) => item({ AddressOnParent: index, ElementName: `Hard disk ${index + 1}`, HostResource: `ovf:/disk/vmdisk${index}`, InstanceID: 10 + index, Parent: 3, ResourceType: 17 })).join('\n')}
${item({ AddressOnParent: 0, ElementName: 'CD/DVD drive 1', HostResource: `ovf:/file/file${disks.length + 1}`, InstanceID: 40, Parent: 4, ResourceSubType: 'vmware.cdrom.iso', ResourceType: 15 })}
${networks.map((name, index) => item({ Address: `00:50:56:aa:bb:0${index}`, AddressOnParent: 7 + index, AutomaticAllocation: 'true', Connection: name, ElementName: `Ethernet ${index + 1}`, InstanceID: 50 + index, ResourceSubType: 'VmxNet3', ResourceType: 10 })).join('\n')}
<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
<vmw:Config ovf:required="false" vmw:key="uuid" vmw:value="564d0000-0000-4000-8000-00000000beef"/>
${unknownSettings.map(({ key, required }) => `<vmw:Config ovf:required="${required}" vmw:key="${key}" vmw:value="1"/>`).join('\n')}
<vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="ovf:/file/file${disks.length}"/>
</VirtualHardwareSection>
${annotation === undefined ? '' : `<AnnotationSection><Info>text</Info><Annotation>${annotation}</Annotation></AnnotationSection>`}
</VirtualSystem></Envelope>
`
}

const machine = (disks: readonly StoredDisk[]): Machine => ({
  name: 'web',
  cpus: 2,
  memoryBytes: 2 ** 30,
  firmware: 'efi',
  guest: { family: 'linux', id: 'debian11_64Guest' },
  disks: disks.map(({ key }) => ({ key, bus: 'virtio-scsi' })),
  networks: [{ name: 'VM Network', mac: '00:50:56:aa:bb:00' }],
})

/** A point as an export of a machine with NVRAM and an image leaves it. */
export function restorePoint(options: PointOptions = {}): RestoreSource {
  const { disks = defaultDisks, chain = false, change = (text) => text, file = (_name, found) => found } = options
  const vmdks = disks.map((disk, index) => storedFile(`web-disk-${index}.vmdk`, 'vmdk', vmdkOf(disk)))
  const others = [storedFile('web.nvram', 'bytes', nvram), storedFile('web-file-0.iso', 'bytes', image)]
  const descriptor = change(descriptorOf([...vmdks, ...others], disks, options))
  const all = [...(chain ? [] : vmdks), ...others, storedFile('web.ovf', 'bytes', new TextEncoder().encode(descriptor))]
  const files = all.flatMap((one) => file(one.name, one) ?? [])
  const stored = disks.map((disk, index): StoredDisk => {
    const kept = chain ? undefined : files.find(({ name }) => name === `web-disk-${index}.vmdk`)
    return {
      key: `disk${index}`,
      name: `web-disk-${index}.vmdk`,
      size: disk.length,
      open: async () => memoryMappedBlocks(disk, { readers: 4 }),
      openChanges: async () => undefined,
      ...(kept !== undefined && { file: kept }),
    }
  })
  return {
    point: 'point1',
    workload: { id: '564d0000-0000-4000-8000-00000000beef', name: 'web', kind: 'machine' },
    machine: machine(stored),
    kind: 'esxi',
    description: {
      v: 1,
      descriptor: 'web.ovf',
      files: Object.fromEntries(stored.map(({ name, key }) => [name, { device: `/12/${key}`, disk: key }])),
    },
    disks: stored,
    files,
  }
}
