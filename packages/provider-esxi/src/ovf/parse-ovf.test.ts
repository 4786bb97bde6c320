import { HoldfastError } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { descriptorOf } from '../../test/support/ovf-descriptors.ts'
import { parseOvf } from './parse-ovf.ts'

const gib = 2 ** 30
const parsed = (text: string) => parseOvf(text, { what: 'web.ovf' })
const vcenter = descriptorOf('vcenter')

function failureOf(text: string, code?: 'INVALID_OPTIONS'): HoldfastError {
  try {
    parseOvf(text, { what: 'web.ovf', ...(code !== undefined && { code }) })
  } catch (error) {
    if (HoldfastError.isInstance(error)) return error
    throw error
  }
  throw new Error('it was taken')
}

/** The descriptor of vCenter with one thing changed; says the line of it. */
function changed(from: string, to: string): { readonly text: string; readonly line: number } {
  const at = vcenter.indexOf(from)
  if (at < 0) throw new Error(`there is no ${from}`)
  return { text: vcenter.replace(from, () => to), line: vcenter.slice(0, at).split('\n').length }
}

describe('a descriptor as vCenter writes it', () => {
  const ovf = parsed(vcenter)

  it('gives the files with their sizes, the NVRAM and an image among them', () => {
    expect(ovf.files).toEqual([
      { id: 'file1', href: 'web-disk-0.vmdk', size: 73_728 },
      { id: 'file2', href: 'web-disk-1.vmdk', size: 1_206_784 },
      { id: 'file3', href: 'web-disk-2.vmdk', size: 75_264 },
      { id: 'file4', href: 'web-3.nvram', size: 270_840 },
      { id: 'file5', href: 'web-install.iso', size: 32_768 },
    ])
    expect(ovf.machine.nvramFileRef).toBe('file4')
    expect(ovf.machine.removables).toEqual([{ kind: 'cd', fileRef: 'file5' }])
  })

  it('gives the disks in bytes, whatever unit each has', () => {
    expect(ovf.disks.map(({ id, fileRef, capacity, populatedSize }) => ({ id, fileRef, capacity, populatedSize }))).toEqual([
      { id: 'vmdisk1', fileRef: 'file1', capacity: 16 * gib, populatedSize: 1_048_576 },
      { id: 'vmdisk2', fileRef: 'file2', capacity: 2048 * gib, populatedSize: 0 },
      { id: 'vmdisk3', fileRef: 'file3', capacity: 131_073 * 512, populatedSize: undefined },
    ])
  })

  it('gives the machine with its firmware, processors, disks at their controllers and adapters', () => {
    const { controllers, drives, adapters, ...machine } = ovf.machine
    expect(machine).toEqual({
      id: 'web',
      name: 'web',
      osType: 'ubuntu64Guest',
      osDescription: 'Ubuntu Linux (64-bit)',
      hardware: ['vmx-19'],
      cpus: 4,
      coresPerSocket: 2,
      memoryBytes: 8 * gib,
      firmware: 'efi',
      secureBoot: true,
      nvramFileRef: 'file4',
      removables: [{ kind: 'cd', fileRef: 'file5' }],
    })
    expect(controllers.map(({ bus }) => bus)).toEqual(['virtio-scsi', 'sata', 'nvme'])
    expect(drives.map(({ diskId, controller, addressOnParent }) => [diskId, controller?.bus, addressOnParent])).toEqual([
      ['vmdisk1', 'virtio-scsi', '0'],
      ['vmdisk2', 'sata', '1'],
      ['vmdisk3', 'nvme', '0'],
    ])
    expect(adapters).toEqual([
      { network: 'VM Network', mac: '00:50:56:aa:bb:cc', model: 'VmxNet3', connected: true },
      { network: 'DPG & "DMZ" 7', model: 'E1000e', connected: false },
    ])
    expect(ovf.networks).toEqual([{ name: 'VM Network', description: 'The VM Network network' }, { name: 'DPG & "DMZ" 7' }])
  })
})

describe('descriptors of other writers', () => {
  it('of ovftool: chunks, an empty disk, a collection of one, and the default deployment option', () => {
    const { files, disks, machine } = parsed(descriptorOf('ovftool'))
    expect(files).toEqual([{ id: 'file1', href: 'appliance-disk1.vmdk.gz', size: 2_500_000, compression: 'gzip', chunkSize: 1_000_000 }])
    expect(disks.map(({ fileRef, capacity }) => [fileRef, capacity])).toEqual([
      ['file1', 40 * gib],
      [undefined, 10 * gib],
    ])
    expect(machine).toMatchObject({
      id: 'appliance',
      name: 'appliance',
      cpus: 8,
      memoryBytes: 4 * gib,
      hardware: ['vmx-10', 'vmx-13'],
      firmware: 'bios',
    })
    expect(machine.controllers.map(({ bus, subType }) => [bus, subType])).toEqual([['scsi', 'lsilogic']])
  })

  it('of VirtualBox: no sizes of files, capacity in plain bytes, its own words for units and firmware', () => {
    const { files, disks, machine } = parsed(descriptorOf('virtualbox'))
    expect(files).toEqual([{ id: 'file1', href: 'desk-disk001.vmdk' }])
    expect(disks[0]?.capacity).toBe(20 * gib)
    expect(machine).toMatchObject({ firmware: 'efi', secureBoot: false, memoryBytes: 2 * gib, osDescription: 'Debian_64' })
    expect(machine.drives[0]?.controller?.bus).toBe('sata')
    expect(machine.removables).toEqual([{ kind: 'cd' }])
  })

  it('33: prefixes of any spelling mean the same', () => {
    const { machine, disks } = parsed(descriptorOf('govc'))
    expect(machine).toMatchObject({ name: 'files', osType: 'windows2019srv_64Guest', cpus: 1, memoryBytes: 512 * 2 ** 20 })
    expect(disks).toHaveLength(2)
    const renamed = vcenter
      .replaceAll('rasd:', 'x1:')
      .replaceAll('xmlns:rasd', 'xmlns:x1')
      .replaceAll('vmw:', '_:')
      .replaceAll('xmlns:vmw', 'xmlns:_')
    expect(parsed(renamed)).toEqual(parsed(vcenter))
  })

  it('a byte order mark before the first line does not matter', () => {
    expect(parsed(`\ufeff${vcenter}`)).toEqual(parsed(vcenter))
  })
})

describe('names that lead elsewhere', () => {
  const named = (href: string) => changed('ovf:href="web-disk-1.vmdk"', `ovf:href="${href}"`)

  for (const href of [
    '../web.vmdk',
    'a/b.vmdk',
    '/etc/passwd',
    '..',
    '.hidden',
    'a\\b.vmdk',
    '%2e%2e%2fweb.vmdk',
    'a%2Fb.vmdk',
    'a%00b',
    `${'a'.repeat(201)}`,
  ])
    it(`36: ${JSON.stringify(href.slice(0, 30))} is refused with its line`, () => {
      const { text, line } = named(href)
      const error = failureOf(text)
      expect(error.code).toBe('PATH_OUTSIDE')
      expect(error.message).toContain(`web.ovf, line ${line}: the href`)
    })

  for (const href of ['https://example.org/web.vmdk', 'file:web.vmdk', 'C:web.vmdk'])
    it(`36: the address ${href} is refused`, () => {
      const { text, line } = named(href)
      const error = failureOf(text)
      expect(error).toMatchObject({ code: 'POINT_DAMAGED', details: { file: 'web.ovf', line } })
      expect(error.message).toContain('is an address')
    })

  it('36: two references to one file are refused, also when only capitals differ', () => {
    for (const href of ['web-disk-0.vmdk', 'WEB-disk-0.VMDK']) {
      const { text, line } = named(href)
      expect(failureOf(text).message).toBe(`web.ovf, line ${line}: the href ${JSON.stringify(href.toLowerCase())} is there twice`)
    }
  })
})

describe('what cannot be right is told with its line', () => {
  const cases: readonly (readonly [string, string, string, string])[] = [
    [
      '11: a disk that names a file which is not there',
      'ovf:fileRef="file2"',
      'ovf:fileRef="file9"',
      'names the file "file9", which References does not have',
    ],
    ['a device that names a disk which is not there', 'ovf:/disk/vmdisk2', 'ovf:/disk/vmdisk9', 'names the disk "vmdisk9"'],
    ['a disk that is in the machine twice', 'ovf:/disk/vmdisk2', 'ovf:/disk/vmdisk1', 'is in the machine twice'],
    ['a drive that names a file which is not there', 'ovf:/file/file5', 'ovf:/file/file9', 'names the file "file9"'],
    [
      'an adapter on a network which is not there',
      '<rasd:Connection>VM Network<',
      '<rasd:Connection>LAN<',
      'is on "LAN", which NetworkSection does not have',
    ],
    ['an adapter with no MAC address', '00:50:56:AA:BB:CC', '00:50:56:AA:BB', 'is no MAC address'],
    ['a size that is no number', 'ovf:size="1206784"', 'ovf:size="1.2e6"', 'size is "1.2e6", not a whole number'],
    ['a size beyond all numbers', 'ovf:size="1206784"', 'ovf:size="99999999999999999999"', 'not a whole number'],
    ['a negative size', 'ovf:size="1206784"', 'ovf:size="-1"', 'not a whole number'],
    [
      'a capacity beyond all disks',
      'ovf:capacity="2" ',
      'ovf:capacity="2000" ',
      'the capacity of disk "vmdisk2" is "2000", not a whole number from 0 to 64',
    ],
    ['a unit that nobody knows', 'byte * 2^40', 'parsec * 2^40', 'is "parsec * 2^40"'],
    ['a capacity that is a property', 'ovf:capacity="2" ', `ovf:capacity="$${'{size}'}" `, 'is the property'],
    ['a file id that is there twice', 'ovf:id="file2"', 'ovf:id="file1"', 'the file id "file1" is there twice'],
    ['an instance that is there twice', '<rasd:InstanceID>8<', '<rasd:InstanceID>7<', 'the InstanceID "7" is there twice'],
    [
      'sockets that do not fit',
      'ovf:required="false">2</vmw:CoresPerSocket>',
      'ovf:required="false">3</vmw:CoresPerSocket>',
      '4 processors cannot be in sockets of 3',
    ],
    ['a compression that nobody knows', 'ovf:id="file2"', 'ovf:id="file2" ovf:compression="xz"', 'the compression "xz" is not known'],
    ['a document type', '<Envelope', '<!DOCTYPE a [<!ENTITY b "c">]><Envelope', 'document type'],
  ]
  for (const [name, from, to, message] of cases)
    it(name, () => {
      const { text, line } = changed(from, to)
      const error = failureOf(text)
      expect(error.code).toBe('POINT_DAMAGED')
      expect(error.message).toContain(message)
      const within = Number(/line (\d+)/.exec(error.message)?.[1] ?? line)
      // The line of the element around it, which begins at most 8 lines before.
      expect(line - within).toBeGreaterThanOrEqual(0)
      expect(line - within).toBeLessThan(9)
    })

  it('text that is cut in the middle of an element names the line', () => {
    const error = failureOf(`${vcenter.slice(0, vcenter.indexOf('<Network '))}<Network ovf:name="x`)
    expect(error.message).toMatch(/^web\.ovf, line \d+: the XML is not well-formed/)
  })

  it('the code is that of who gave the descriptor', () => {
    const error = failureOf(changed('ovf:size="1206784"', 'ovf:size="x"').text, 'INVALID_OPTIONS')
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', retryable: false })
    expect(error.remedy).toContain('Mend the descriptor')
  })

  it('another version of OVF and several machines are refused by name', () => {
    expect(failureOf(vcenter.replaceAll('ovf/envelope/1', 'ovf/envelope/2')).code).toBe('UNSUPPORTED_FORMAT')
    const two = vcenter.replace('</Envelope>', '<VirtualSystem ovf:id="second"/></Envelope>')
    expect(failureOf(two)).toMatchObject({ code: 'UNSUPPORTED', message: 'web.ovf describes 2 machines: "web", "second"' })
  })
})

describe('a hostile descriptor', () => {
  it('with elements a thousand deep, or a million of them, is refused before a tree is built', () => {
    expect(failureOf('<a>'.repeat(1000)).message).toContain('more than 64 deep')
    expect(failureOf(`<a>${'<b/>'.repeat(60_000)}</a>`).message).toContain('more than 50000 elements')
  })

  it('of five million characters is refused by its length', () => {
    expect(failureOf(' '.repeat(5_000_000)).message).toContain('more than the 4194304 that are read')
  })

  it('whose tags do not end is refused', () => {
    for (const piece of ['<', '<a ', '<!--', '<![CDATA[', '<a b="', '<?'])
      expect(failureOf(piece.repeat(100_000)).message).toMatch(/not well-formed|deep|elements/)
  })
})
