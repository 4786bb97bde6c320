import { createHash } from 'node:crypto'
import type { Machine, RestoreSource } from '@holdfast/core/spec'
import { type CollectedItem, seededRandom, sourceFrom, vmdkOf } from '@holdfast/testkit'
import { writeOvf } from '../../src/ovf/write-ovf.ts'

const kib64 = 65_536
const workload = { id: 'web-1', name: 'web', kind: 'machine' } as const

/** Three disks of different sizes and fill, the last one empty. */
export function sampleDisks(seed: number): ReadonlyMap<string, Uint8Array> {
  const random = seededRandom(seed)
  const disk = (clusters: number, filled: number): Uint8Array => {
    const bytes = new Uint8Array(clusters * kib64)
    for (let count = 0; count < filled; count++) {
      const at = random.below(clusters) * kib64
      bytes.subarray(at, at + kib64).set(random.bytes(kib64))
    }
    return bytes
  }
  return new Map([
    ['d0', disk(64, 20)],
    ['d1', disk(40, 3)],
    ['d2', disk(16, 0)],
  ])
}

/** An EFI machine with these disks. */
export const machineWith = (keys: Iterable<string>): Machine => ({
  name: 'web',
  cpus: 2,
  memoryBytes: 2 ** 30,
  firmware: 'efi',
  guest: { family: 'linux', id: 'ubuntu64Guest' },
  disks: [...keys].map((key) => ({ key, bus: 'virtio-scsi' })),
  networks: [{ name: 'VM Network', mac: '00:50:56:aa:bb:cc', model: 'vmxnet3' }],
})

const source = (
  items: readonly CollectedItem[],
  kind: string,
  machine: Machine,
  description: RestoreSource['description'],
): RestoreSource => sourceFrom(items, { workload, kind, result: { description, machine, consistency: 'crash', skipped: [] } })

/** The descriptor of an export of the disks, with an NVRAM. */
function exported(disks: ReadonlyMap<string, Uint8Array>, nvram: Uint8Array) {
  const machine = machineWith(disks.keys())
  const vmdks = new Map(
    [...disks].map(([key, bytes], index) => [key, { name: `web-disk-${index + 1}.vmdk`, bytes: vmdkOf(bytes), capacity: bytes.length }]),
  )
  const text = writeOvf(
    machine,
    [...vmdks].map(([key, { name, bytes, capacity }]) => ({ key, href: name, fileBytes: bytes.length, capacity })),
  )
  const descriptor = text
    .replace('  </References>', `    <File ovf:href="web.nvram" ovf:id="file9" ovf:size="${nvram.length}"/>\n  </References>`)
    .replace(
      '    </VirtualHardwareSection>',
      '      <vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="ovf:/file/file9"/>\n    </VirtualHardwareSection>',
    )
  const files = Object.fromEntries([...vmdks].map(([key, { name }]) => [name, { device: `/vm-1/${key}`, disk: key }]))
  return { machine, vmdks, descriptor, description: { v: 1, descriptor: 'web.ovf', files } }
}

const stream = (name: string, bytes: Uint8Array): CollectedItem => ({ type: 'stream', name, format: 'bytes', bytes })
export const nvramBytes: Uint8Array = createHash('sha512').update('nvram').digest()

/** A full backup of a machine of ESXi, its VMDKs kept as they came. */
export function keptPoint(disks: ReadonlyMap<string, Uint8Array>): {
  readonly source: RestoreSource
  readonly vmdks: ReadonlyMap<string, Uint8Array>
  readonly descriptor: string
} {
  const { machine, vmdks, descriptor, description } = exported(disks, nvramBytes)
  const items = [...vmdks].map(
    ([key, { name, bytes, capacity }]): CollectedItem => ({
      type: 'stream',
      name,
      format: 'vmdk',
      disk: { key, name, size: capacity },
      bytes,
    }),
  )
  const others = [
    stream('web.nvram', nvramBytes),
    stream('web.ovf', Buffer.from(descriptor)),
    stream('web.mf', Buffer.from('SHA256(web.ovf)= 00')),
  ]
  return {
    source: source([...items, ...others], 'esxi', machine, description),
    vmdks: new Map([...vmdks.values()].map(({ name, bytes }) => [name, bytes])),
    descriptor,
  }
}

const asDisk = (key: string, name: string, bytes: Uint8Array): CollectedItem => ({
  type: 'disk',
  disk: { key, name, size: bytes.length },
  covers: 'all',
  bytes,
  dataBytes: bytes.length,
})

/** An increment of the same machine: its disks are chains, the descriptor has the sizes of an export that nobody kept. */
export function chainPoint(disks: ReadonlyMap<string, Uint8Array>): RestoreSource {
  const { machine, vmdks, descriptor, description } = exported(disks, nvramBytes)
  const items = [...vmdks].map(([key, { name }]) => asDisk(key, name, disks.get(key) as Uint8Array))
  return source([...items, stream('web.nvram', nvramBytes), stream('web.ovf', Buffer.from(descriptor))], 'esxi', machine, description)
}

/** A point of another platform, which has no descriptor. */
export function foreignPoint(disks: ReadonlyMap<string, Uint8Array>): RestoreSource {
  const machine: Machine = {
    ...machineWith([]),
    guest: { family: 'linux', id: 'debian_12' },
    disks: [...disks.keys()].map((key) => ({ key, bus: 'virtio' })),
  }
  return source(
    [...disks].map(([key, bytes]) => asDisk(key, `root ${key}`, bytes)),
    'ovirt',
    machine,
    { v: 1 },
  )
}
