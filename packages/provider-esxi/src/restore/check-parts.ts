import { type CallOptions, collectBytes } from '@holdfast/core/spec'
import { checkVmdkHeader } from './check-vmdk.ts'
import type { Part } from './restore-parts.ts'

/** What is read whole before anything is made; NVRAM has some hundred kilobytes. */
const smallFile = 16 * 1024 * 1024

/** Of a disk that is sent as it is stored the header is looked at; small files are read whole, which proves their hash. */
async function checkPart(part: Part, options: CallOptions): Promise<void> {
  if (!part.disk && part.size <= smallFile) await collectBytes(await part.open(options), smallFile, part.href)
  if (part.disk && part.sha256 !== undefined) await checkVmdkHeader(part, options)
}

/**
 * Proves what can be proven of the files of a package before anything is made on a host.
 * @throws CHECKSUM_MISMATCH; UNSUPPORTED or POINT_DAMAGED: a disk that no host imports.
 */
export async function checkParts(parts: readonly Part[], options: CallOptions): Promise<void> {
  for (const part of parts) await checkPart(part, options)
}
