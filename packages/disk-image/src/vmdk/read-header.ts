import type { BlockSource, CallOptions } from '../blocks.ts'
import { damaged } from '../errors.ts'
import { descriptorRange, refuseDelta } from './descriptor.ts'
import { markerTypes, sectorBytes } from './format.ts'
import { completedByFooter, parseVmdkHeader, type VmdkHeader } from './parse-header.ts'
import type { LocatedHeader } from './tables.ts'

async function readAt(source: BlockSource, offset: number, length: number, options: CallOptions): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  await source.readInto(bytes, offset, options)
  return bytes
}

/** The header of a file, completed by its footer, which is the last but one sector: after it comes the end-of-stream marker, before it its own marker. */
export async function readVmdkHeader(source: BlockSource, options: CallOptions): Promise<LocatedHeader> {
  const header = parseVmdkHeader(await readAt(source, 0, Math.min(source.size, sectorBytes), options))
  await checkDescriptor(source, header, options)
  if (header.directorySector !== undefined) return { ...header, directorySector: header.directorySector }
  const tail = 3 * sectorBytes
  if (source.size < (header.overheadSectors + 3) * sectorBytes || source.size % sectorBytes !== 0)
    throw damaged(`the VMDK of ${source.size} bytes was cut: it has no whole footer`)
  const bytes = await readAt(source, source.size - tail, tail, options)
  const marked = bytes.readUInt32LE(8) === 0 && bytes.readUInt32LE(12) === markerTypes.footer
  const ended = bytes.subarray(2 * sectorBytes).every((byte) => byte === 0)
  if (!marked || !ended) throw damaged('the VMDK was cut: it does not end with a footer and an end-of-stream marker')
  return completedByFooter(header, bytes.subarray(sectorBytes, 2 * sectorBytes))
}

async function checkDescriptor(source: BlockSource, header: VmdkHeader, options: CallOptions): Promise<void> {
  const range = descriptorRange(header)
  if (range === undefined) return
  const { offset, length } = range
  if (offset + length > source.size)
    throw damaged(`the descriptor of ${length} bytes at ${offset} is outside the file of ${source.size} bytes`)
  refuseDelta(await readAt(source, offset, length, options))
}
