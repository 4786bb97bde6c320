import { HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { ManifestEntry } from '../lease/lease.ts'
import type { ReceivedFile } from './receive-files.ts'

type Compared = 'sum' | 'size' | 'nothing'

/** Files that are no disks have no end of their own: their size alone tells that they are whole. */
function requireSize({ name, receipt, url, disk }: ReceivedFile): void {
  if (disk !== undefined || url.fileSize === undefined || url.fileSize === receipt.size) return
  throw new HoldfastError('TRUNCATED', `${name} came with ${receipt.size} bytes, and the host has said that it has ${url.fileSize}.`, {
    retryable: true,
    remedy: 'Nothing of it is kept, and it is tried again. If it goes on, look at the network and at the datastore of the host.',
    details: { file: name },
  })
}

/** @returns What could be compared. */
function compare(file: ReceivedFile, entry: ManifestEntry | undefined): Compared {
  const { name, receipt } = file
  if (entry === undefined) {
    requireSize(file)
    return 'nothing'
  }
  const differs = (how: string): HoldfastError =>
    new HoldfastError('CHECKSUM_MISMATCH', `${name} came otherwise than the host has sent it: ${how}.`, {
      retryable: true,
      remedy: 'Nothing of it is kept, and it is tried again. If it goes on, look at the network and at the memory of both sides.',
      details: { file: name },
    })
  if (entry.size !== receipt.size) throw differs(`${receipt.size} bytes instead of ${entry.size}`)
  const isSha256 = /^sha-?256$/i.test(entry.checksumType ?? '')
  if (isSha256 && entry.checksum !== undefined) {
    if (entry.checksum.toLowerCase() !== receipt.sha256) throw differs('another SHA-256')
    return 'sum'
  }
  if (entry.sha1 === undefined || entry.sha1 === '' || receipt.sha1 === undefined) return 'size'
  if (entry.sha1.toLowerCase() !== receipt.sha1) throw differs('another SHA-1')
  return 'sum'
}

/**
 * Compares what has arrived with what the host says it has sent. What it says nothing of is noted.
 * @throws CHECKSUM_MISMATCH, TRUNCATED (both retryable).
 */
export function compareSums(received: readonly ReceivedFile[], manifest: readonly ManifestEntry[] | undefined, run: RunContext): void {
  const results = received.map((file) =>
    compare(
      file,
      manifest?.find(({ key }) => key === file.url.key),
    ),
  )
  const unproven = received.filter((_file, index) => results[index] !== 'sum')
  if (unproven.length === 0) return
  const names = unproven.map(({ name }) => name).join(', ')
  run.note(
    'info',
    'NO_SUMS_OF_HOST',
    `This host tells no sums of ${names}, so what came was not compared with what was sent. That the disks are whole was proven by their ends.`,
  )
}
