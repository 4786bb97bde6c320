import type { Machine } from '@holdfast/core/spec'
import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { machineOfOvf } from './machine-of-ovf.ts'
import { parseOvf } from './parse-ovf.ts'
import { type PackagedDisk, writeOvf } from './write-ovf.ts'

const gib = 2 ** 30
const base: Machine = {
  name: 'web',
  cpus: 4,
  coresPerSocket: 2,
  memoryBytes: 8 * gib,
  firmware: 'efi',
  secureBoot: true,
  guest: { family: 'linux', id: 'ubuntu64Guest' },
  disks: [],
  networks: [],
}
const packagedDisks = ({ disks }: Machine): readonly PackagedDisk[] =>
  disks.map(({ key }, index) => ({
    key,
    href: `web-disk-${index + 1}.vmdk`,
    fileBytes: 1000 + index,
    capacity: (index + 1) * gib,
    dataBytes: index,
  }))
const written = (machine: Machine): string => writeOvf(machine, packagedDisks(machine))
const readBack = (machine: Machine) => parseOvf(written(machine), { what: 'web.ovf' })

describe('a descriptor that is written from a machine', () => {
  const buses = ['virtio-scsi', 'scsi', 'sata', 'ide', 'nvme'] as const
  const machine: Machine = {
    ...base,
    disks: buses.map((bus, index) => ({ key: `vmdisk${index + 1}`, bus })),
    networks: [
      { name: 'VM Network', mac: '00:50:56:aa:bb:cc', model: 'vmxnet3' },
      { name: 'DMZ <7> & "9"', model: 'e1000e' },
      { name: 'VM Network', model: 'e1000' },
    ],
  }

  it('reads back as the same machine', () => {
    expect(machineOfOvf(readBack(machine))).toEqual(machine)
  })

  it('7: names each file with its own size, and each disk with its own capacity', () => {
    const { files, disks, networks } = readBack(machine)
    expect(files.map(({ href, size }) => [href, size])).toEqual(buses.map((_, index) => [`web-disk-${index + 1}.vmdk`, 1000 + index]))
    expect(disks.map(({ capacity, populatedSize }) => [capacity, populatedSize])).toEqual(
      buses.map((_, index) => [(index + 1) * gib, index]),
    )
    expect(networks.map(({ name }) => name)).toEqual(['VM Network', 'DMZ <7> & "9"'])
  })

  it('has the fields of each item in the order of their names, which is that of the standard', () => {
    const items = written(machine).match(/<Item>[\s\S]*?<\/Item>/g) ?? []
    expect(items).toHaveLength(2 + 5 + 5 + 3)
    for (const item of items) {
      const names = [...item.matchAll(/<rasd:(\w+)>/g)].map(([, name]) => name)
      expect(names).toEqual([...names].sort())
    }
  })

  it('gives a machine at virtio paravirtual controllers and adapters', () => {
    const foreign: Machine = {
      ...base,
      guest: { family: 'linux', id: 'debian_12' },
      disks: [
        { key: 'a', bus: 'virtio' },
        { key: 'b', bus: 'virtio-scsi' },
      ],
      networks: [{ name: 'ovirtmgmt', model: 'virtio' }],
    }
    const { machine: read } = readBack(foreign)
    expect(read.controllers).toEqual([{ instance: '3', bus: 'virtio-scsi', subType: 'VirtualSCSI', address: '0' }])
    expect(read.adapters[0]?.model).toBe('VmxNet3')
    expect(read.osType).toBe('debian10_64Guest')
  })

  it('gives Windows controllers and adapters that it has drivers for', () => {
    const windows: Machine = {
      ...base,
      guest: { family: 'windows', id: 'windows_2019x64' },
      disks: [{ key: 'a', bus: 'scsi' }],
      networks: [{ name: 'lan', model: 'virtio' }],
    }
    const { machine: read } = readBack(windows)
    expect(read.controllers[0]?.subType).toBe('lsilogicsas')
    expect(read.adapters[0]?.model).toBe('E1000e')
    expect(read.osType).toBe('windows9Server64Guest')
  })

  it('keeps a machine that boots with a BIOS there, without secure boot', () => {
    const { machine: read } = readBack({ ...base, firmware: 'bios', secureBoot: true })
    expect(read).toMatchObject({ firmware: 'bios', secureBoot: false })
  })

  it('leaves out cores that do not fit, and rounds memory up to what hosts take', () => {
    const { machine: read } = readBack({ ...base, cpus: 3, coresPerSocket: 2, memoryBytes: gib + 1 })
    expect(read.coresPerSocket).toBeUndefined()
    expect(read.memoryBytes).toBe(gib + 4 * 2 ** 20)
  })

  it('asks for newer virtual hardware only when the machine is too large for vmx-13', () => {
    expect(readBack(base).machine.hardware).toEqual(['vmx-13'])
    expect(readBack({ ...base, cpus: 256 }).machine.hardware).toEqual(['vmx-20'])
  })

  it('fills controllers: place 7 of SCSI stays free, the sixteenth disk gets a second one', () => {
    const disks = Array.from({ length: 17 }, (_, index) => ({ key: `d${index}`, bus: 'virtio-scsi' as const }))
    const { drives } = readBack({ ...base, disks }).machine
    const places = drives.map(({ controller, addressOnParent }) => `${controller?.address}:${addressOnParent}`)
    expect(places.slice(0, 9)).toEqual(['0:0', '0:1', '0:2', '0:3', '0:4', '0:5', '0:6', '0:8', '0:9'])
    expect(places.slice(14)).toEqual(['0:15', '1:0', '1:1'])
  })

  it('refuses what no machine of VMware can have, and what does not belong together', () => {
    const five = Array.from({ length: 5 }, (_, index) => ({ key: `d${index}`, bus: 'ide' as const }))
    expect(() => written({ ...base, disks: five })).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
    const one = { ...base, disks: [{ key: 'a', bus: 'sata' as const }] }
    expect(() => writeOvf(one, [])).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('the disk a of it') }),
    )
    expect(() => writeOvf(base, packagedDisks(one))).toThrow('web-disk-1.vmdk is no disk of it')
  })

  it('survives names with any characters', () => {
    for (const name of ['a & b <c> "d" \'e\'', 'tab\tand\nline', 'ünïcode 机', 'half \ud800 pair', '\u0000\uffff', ']]>', '$' + '{x}']) {
      const { machine: read } = readBack({ ...base, name, networks: [{ name: `net ${name}` }] })
      expect(read.name).not.toMatch(/\p{Cc}/u)
      expect(read.adapters).toHaveLength(1)
    }
    expect(readBack({ ...base, name: 'a & b <c> "d"' }).machine.name).toBe('a & b <c> "d"')
  })

  const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_122)
  it(`reads back as the same machine, whatever the machine (seed ${seed})`, () => {
    const random = seededRandom(seed)
    for (let round = 0; round < 10; round++) {
      const cores = 1 + random.below(4)
      const one: Machine = {
        name: `machine ${round}`,
        cpus: cores * (1 + random.below(8)),
        coresPerSocket: cores,
        memoryBytes: (1 + random.below(4096)) * 4 * 2 ** 20,
        firmware: round % 2 === 0 ? 'efi' : 'bios',
        guest: { family: 'linux', id: 'debian10_64Guest' },
        disks: Array.from({ length: random.below(13) }, (_, index) => ({
          key: `vmdisk${index + 1}`,
          bus: buses[index % 3] ?? 'scsi',
        })),
        networks: Array.from({ length: random.below(11) }, (_, index) => ({ name: `net ${index % 3}`, model: 'vmxnet3' })),
      }
      expect(machineOfOvf(readBack(one))).toEqual(one)
    }
  })
})
