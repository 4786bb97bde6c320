import { field } from '../soap-answer.ts'
import type { OvfPackage } from './ovf-package.ts'
import { itemsOf } from './write-ovf-items.ts'

const namespaces = [
  'xmlns="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common"',
  'xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"',
  'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"',
  'xmlns:vmw="http://www.vmware.com/schema/ovf"',
  'xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"',
  'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
].join(' ')

const format = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized'

/** Values of attributes, without the element that `field` puts around them. */
const value = (text: string | number): string => field('v', text).slice(3, -4)

function fileLine({ id, href, size }: OvfPackage['files'][number]): string {
  return `    <File ovf:href="${value(href)}" ovf:id="${id}"${size === undefined ? '' : ` ovf:size="${size}"`}/>`
}

function diskLine({ capacity, populatedSize, file }: OvfPackage['disks'][number], index: number): string {
  const populated = populatedSize === undefined ? '' : ` ovf:populatedSize="${populatedSize}"`
  const reference = file === undefined ? '' : ` ovf:fileRef="${file}"`
  return `    <Disk ovf:capacity="${capacity}" ovf:capacityAllocationUnits="byte" ovf:diskId="vmdisk${index + 1}"${reference} ovf:format="${format}"${populated}/>`
}

const setting = (kind: 'Config' | 'ExtraConfig', key: string, text: string): string =>
  `      <vmw:${kind} ovf:required="false" vmw:key="${key}" vmw:value="${value(text)}"/>`

/** A descriptor as hosts write it. */
export function writeOvf(described: OvfPackage): string {
  const { name, guestId, version, firmware, secureBoot, annotation, uuid, files, disks, networks, nvram } = described
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<Envelope vmw:buildId="build-1" ${namespaces}>`,
    '  <References>',
    ...files.map(fileLine),
    '  </References>',
    '  <DiskSection>',
    '    <Info>Virtual disk information</Info>',
    ...disks.map(diskLine),
    '  </DiskSection>',
    '  <NetworkSection>',
    '    <Info>The list of logical networks</Info>',
    ...networks.map((one) => `    <Network ovf:name="${value(one)}">${field('Description', `The ${one} network`)}</Network>`),
    '  </NetworkSection>',
    `  <VirtualSystem ovf:id="${value(name)}">`,
    '    <Info>A virtual machine</Info>',
    `    ${field('Name', name)}`,
    `    <OperatingSystemSection ovf:id="1" vmw:osType="${value(guestId)}"><Info>The kind of installed guest operating system</Info></OperatingSystemSection>`,
    '    <VirtualHardwareSection>',
    '      <Info>Virtual hardware requirements</Info>',
    `      <System>${field('vssd:ElementName', 'Virtual Hardware Family')}${field('vssd:InstanceID', 0)}${field('vssd:VirtualSystemIdentifier', name)}${field('vssd:VirtualSystemType', version)}</System>`,
    ...itemsOf(described),
    setting('Config', 'firmware', firmware),
    ...(secureBoot ? [setting('Config', 'bootOptions.efiSecureBootEnabled', 'true')] : []),
    ...(uuid === undefined ? [] : [setting('Config', 'uuid', uuid)]),
    ...(nvram === undefined ? [] : [setting('ExtraConfig', 'nvram', `ovf:/file/${nvram}`)]),
    '    </VirtualHardwareSection>',
    ...(annotation === undefined
      ? []
      : [`    <AnnotationSection><Info>A human-readable annotation</Info>${field('Annotation', annotation)}</AnnotationSection>`]),
    '  </VirtualSystem>',
    '</Envelope>',
    '',
  ].join('\n')
}
