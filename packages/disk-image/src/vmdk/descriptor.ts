import { DiskImageError, damaged } from '../errors.ts'
import { largestDescriptorBytes, sectorBytes } from './format.ts'
import type { VmdkHeader } from './parse-header.ts'

/** Where the text is that describes the disk, if there is one. Bytes; never more than 1 MiB. */
export function descriptorRange({
  descriptorSector,
  descriptorSectors,
}: VmdkHeader): { readonly offset: number; readonly length: number } | undefined {
  if (descriptorSector === 0 || descriptorSectors === 0) return undefined
  const [offset, length] = [descriptorSector * sectorBytes, descriptorSectors * sectorBytes]
  if (length <= largestDescriptorBytes && Number.isSafeInteger(offset)) return { offset, length }
  throw damaged(`the descriptor of ${length} bytes at ${offset} is longer than ${largestDescriptorBytes} bytes`)
}

/** A VMDK that holds only what has changed since another one is no disk. */
export function refuseDelta(descriptor: Buffer): void {
  const parent = /^\s*parentCID\s*=\s*([0-9a-f]+)/im.exec(descriptor.toString('latin1'))?.[1]?.toLowerCase()
  if (parent !== undefined && parent !== 'ffffffff')
    throw new DiskImageError('UNSUPPORTED_FORMAT', `the VMDK holds only the changes since another image (parentCID ${parent})`)
}
