import { type CallOptions, HoldfastError, mapError } from '@holdfast/core/spec'
import { scanVmdk } from '@holdfast/disk-image'
import type { Part } from './restore-parts.ts'

const headerBytes = 512

async function readHeader(part: Part, options: CallOptions): Promise<Buffer> {
  const header = Buffer.alloc(headerBytes)
  const bytes = await part.open({ ...options, start: 0, end: Math.min(headerBytes, part.size) })
  let filled = 0
  try {
    for await (const chunk of bytes) {
      header.set(chunk.subarray(0, headerBytes - filled), filled)
      filled = Math.min(headerBytes, filled + chunk.length)
      if (filled === headerBytes) break
    }
  } finally {
    await bytes[Symbol.asyncDispose]?.()
  }
  return header.subarray(0, filled)
}

const notImported = (href: string, why: string, cause?: unknown): HoldfastError =>
  new HoldfastError('UNSUPPORTED', `${href} is no disk that a host imports: ${why}.`, {
    ...(cause !== undefined && { cause }),
    remedy: 'Only streamOptimized VMDK can be imported. Export the machine again as OVF, or convert the disk with qemu-img.',
  })

/**
 * Looks at the first sector of a disk before anything is made: a host takes a streamOptimized VMDK, and says of anything else only that its header is wrong.
 * @throws UNSUPPORTED: another format. POINT_DAMAGED: what cannot be right. What the file throws passes through.
 */
export async function checkVmdkHeader(part: Part, options: CallOptions): Promise<void> {
  const { href } = part
  const header = await readHeader(part, options)
  if (header.length < headerBytes || header.toString('latin1', 0, 4) !== 'KDMV') throw notImported(href, 'its first bytes are not KDMV')
  try {
    scanVmdk().write(header)
  } catch (error) {
    const { code, message } = mapError(error, 'INTERNAL', 'its header cannot be read')
    if (code === 'UNSUPPORTED_FORMAT') throw notImported(href, message, error)
    throw new HoldfastError('POINT_DAMAGED', `${href} is damaged: ${message}.`, { cause: error })
  }
}
