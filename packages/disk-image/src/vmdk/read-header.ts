import type { BlockSource, CallOptions } from '../blocks.ts'
import { DiskImageError, damaged } from '../errors.ts'
import { largestDescriptorBytes, markerTypes, sectorBytes } from './format.ts'
import { parseVmdkHeader, type VmdkHeader } from './parse-header.ts'
import type { LocatedHeader } from './tables.ts'

async function readAt(source: BlockSource, offset: number, length: number, options: CallOptions): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await source.readInto(bytes, offset, options)
  return bytes
}

/** The header of a file, completed by its footer, which is the last but one sector: after it comes the end-of-stream marker, before it its own marker. */
export async function readVmdkHeader(source: BlockSource, options: CallOptions): Promise<LocatedHeader> {
  const header = parseVmdkHeader(await readAt(source, 0, Math.min(source.size, sectorBytes), options))
  await refuseDelta(source, header, options)
  if (header.directorySector !== undefined) return { ...header, directorySector: header.directorySector }
  const tail = 3 * sectorBytes
  if (source.size < (header.overheadSectors + 3) * sectorBytes || source.size % sectorBytes !== 0)
    throw damaged(`the VMDK of ${source.size} bytes was cut: it has no whole footer`)
  const bytes = await readAt(source, source.size - tail, tail, options)
  const marked = bytes.readUInt32LE(8) === 0 && bytes.readUInt32LE(12) === markerTypes.footer
  const ended = bytes.subarray(2 * sectorBytes).every((byte) => byte === 0)
  if (!marked || !ended) throw damaged('the VMDK was cut: it does not end with a footer and an end-of-stream marker')
  const footer = parseVmdkHeader(bytes.subarray(sectorBytes, 2 * sectorBytes))
  if (footer.directorySector === undefined) throw damaged('the footer does not say where the grain directory is')
  const same = (['capacity', 'grainSectors', 'tableEntries'] as const).every((name) => footer[name] === header[name])
  if (!same) throw damaged('the footer contradicts the header')
  return { ...header, directorySector: footer.directorySector }
}

/** A VMDK that holds only what has changed since another one is no disk. */
async function refuseDelta(source: BlockSource, header: VmdkHeader, options: CallOptions): Promise<void> {
  const { descriptorSector, descriptorSectors } = header
  if (descriptorSector === 0 || descriptorSectors === 0) return
  const [offset, length] = [descriptorSector * sectorBytes, descriptorSectors * sectorBytes]
  if (length > largestDescriptorBytes || offset + length > source.size)
    throw damaged(`the descriptor of ${length} bytes at ${offset} is outside the file of ${source.size} bytes`)
  const text = (await readAt(source, offset, length, options)).toString('latin1')
  const parent = /^\s*parentCID\s*=\s*([0-9a-f]+)/im.exec(text)?.[1]?.toLowerCase()
  if (parent !== undefined && parent !== 'ffffffff')
    throw new DiskImageError('UNSUPPORTED_FORMAT', `the VMDK holds only the changes since another image (parentCID ${parent})`)
}
