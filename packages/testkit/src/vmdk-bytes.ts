import { deflateSync, inflateSync } from 'node:zlib'
import { HoldfastError } from '@holdfast/core/spec'
import { concat, isZero, text } from './bytes.ts'

const sector = 512
const grainSectors = 128
const grainBytes = grainSectors * sector
const atEnd = 0xffffffffffffffffn

/**
 * A minimal streamOptimized VMDK of these bytes: header with descriptor, one compressed grain per 64 KiB that is not zero, grain table and
 * directory, footer and end-of-stream marker. The same bytes give the same file. Holds the disk in memory: for tests.
 * Layout: "Virtual Disk Format 5.0", VMware; numbers are little-endian, the grain directory is at the end (gdOffset 2^64-1).
 */
export function vmdkOf(disk: Uint8Array): Uint8Array {
  const capacity = Math.ceil(disk.length / sector)
  const descriptor = descriptorOf(capacity)
  const parts: Uint8Array[] = [header(capacity, atEnd), descriptor, new Uint8Array((grainSectors - 1) * sector - descriptor.length)]
  let at = grainSectors
  const add = (bytes: Uint8Array): number => {
    const start = at
    parts.push(bytes)
    at += bytes.length / sector
    return start
  }
  const table = new Uint8Array(Math.max(1, Math.ceil(disk.length / grainBytes / 512)) * 512 * 4)
  for (let offset = 0; offset < disk.length; offset += grainBytes) {
    const grain = disk.subarray(offset, offset + grainBytes)
    if (!isZero(grain)) view(table).setUint32((offset / grainBytes) * 4, add(grainMarker(offset / sector, grain)), true)
  }
  add(metadataMarker(1, table.length / sector))
  const tableAt = add(table)
  const directory = new Uint8Array(sector * Math.ceil((table.length / 2048) * (4 / sector)))
  for (let index = 0; index < table.length / 2048; index++) view(directory).setUint32(index * 4, tableAt + index * 4, true)
  add(metadataMarker(2, directory.length / sector))
  const directoryAt = add(directory)
  add(metadataMarker(3, 1))
  add(header(capacity, BigInt(directoryAt)))
  add(metadataMarker(0, 0))
  return concat(parts)
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const padded = (bytes: Uint8Array): Uint8Array => concat([bytes, new Uint8Array((sector - (bytes.length % sector)) % sector)])

function header(capacity: number, directoryAt: bigint): Uint8Array {
  const bytes = new Uint8Array(sector)
  const to = view(bytes)
  bytes.set(text('KDMV'), 0)
  to.setUint32(4, 3, true)
  to.setUint32(8, 0x30001, true) // newline detection, compressed grains, markers
  to.setBigUint64(12, BigInt(capacity), true)
  to.setBigUint64(20, BigInt(grainSectors), true)
  to.setBigUint64(28, 1n, true) // descriptor
  to.setBigUint64(36, BigInt(grainSectors - 1), true)
  to.setUint32(44, 512, true)
  to.setBigUint64(56, directoryAt, true)
  to.setBigUint64(64, BigInt(grainSectors), true)
  bytes.set([0x0a, 0x20, 0x0d, 0x0a], 73)
  to.setUint16(77, 1, true)
  return bytes
}

function descriptorOf(capacity: number): Uint8Array {
  const cylinders = Math.max(1, Math.ceil(capacity / 16065))
  const lines = ['# Disk DescriptorFile', 'version=1', 'CID=fffffffe', 'parentCID=ffffffff', 'createType="streamOptimized"', '']
  lines.push(`RDONLY ${capacity} SPARSE "generated-stream.vmdk"`, '', 'ddb.virtualHWVersion = "4"', 'ddb.adapterType = "lsilogic"')
  lines.push('ddb.geometry.sectors = "63"', 'ddb.geometry.heads = "255"', `ddb.geometry.cylinders = "${cylinders}"`, '')
  return padded(text(lines.join('\n')))
}

function grainMarker(lba: number, grain: Uint8Array): Uint8Array {
  const whole = new Uint8Array(grainBytes)
  whole.set(grain)
  const packed = deflateSync(whole, { level: 1 })
  const marker = new Uint8Array(12)
  view(marker).setBigUint64(0, BigInt(lba), true)
  view(marker).setUint32(8, packed.length, true)
  return padded(concat([marker, packed]))
}

function metadataMarker(type: number, sectors: number): Uint8Array {
  const marker = new Uint8Array(sector)
  view(marker).setBigUint64(0, BigInt(sectors), true)
  view(marker).setUint32(12, type, true)
  return marker
}

/** The disk inside a streamOptimized VMDK. Reads the markers only. Throws TRUNCATED when the end-of-stream marker is missing. */
export function diskOfVmdk(vmdk: Uint8Array, size: number): Uint8Array {
  const disk = new Uint8Array(size)
  const from = view(vmdk)
  let at = Number(from.getBigUint64(64, true)) * sector
  while (at + sector <= vmdk.length) {
    const value = Number(from.getBigUint64(at, true))
    const packed = from.getUint32(at + 8, true)
    if (packed > 0) {
      const grain = inflateSync(vmdk.subarray(at + 12, at + 12 + packed))
      disk.set(grain.subarray(0, Math.max(0, size - value * sector)), value * sector)
      at += Math.ceil((12 + packed) / sector) * sector
    } else if (from.getUint32(at + 12, true) === 0) {
      return disk
    } else {
      at += (1 + value) * sector
    }
  }
  throw new HoldfastError('TRUNCATED', `VMDK of ${vmdk.length} bytes has no end-of-stream marker`)
}
