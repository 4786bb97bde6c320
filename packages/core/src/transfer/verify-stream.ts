import { createHash } from 'node:crypto'
import { diskEntryOf } from '../model/disk-entries.ts'
import type { Manifest, StoredFileEntry, StreamItem as StreamEntry } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createTarScanner } from '../spec/helpers/tar/index.ts'
import { createIndexWriter } from './entry-index.ts'
import { type Finding, findingOf } from './finding.ts'
import { type KeptSums, openKeptSums } from './kept-sums.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { openFile, streamBytes, unpacked } from './stored-bytes.ts'
import { createVmdkReader, createVmdkScanner } from './vmdk-scanner.ts'

/** Reads a stream and its index to their ends. The index is made again from the archive and compared, and so are the cluster sums of a VMDK. */
export async function* verifyStream(
  point: Manifest,
  entry: StreamEntry,
  reading: Reading,
  options: CallOptions,
): AsyncGenerator<Finding, void, undefined> {
  const scope = reading.scope(entry.name, options)
  try {
    const made: { index?: string } = {}
    reading.meter.expect(entry.size)
    const path = `${point.folder}/${entry.file.path}`
    const disk = diskEntryOf(entry)
    const sums = disk && (await openKeptSums(point, disk, reading, scope))
    try {
      yield* sums?.findings ?? []
      const finding = await findingOf(point.point, path, async () => {
        made.index = await readArchive(point, entry, reading, scope, sums?.onCluster)
      })
      if (finding !== undefined) yield { ...finding, ...(sums !== undefined && disk && { disk: sums.damaged.of(disk.disk.key) }) }
      const difference = finding === undefined ? sums?.end() : undefined
      if (difference !== undefined) yield difference
    } finally {
      await sums?.[Symbol.asyncDispose]()
    }
    if (entry.index === undefined) return
    const { index } = entry
    const indexPath = `${point.folder}/${index.path}`
    const indexFinding = await findingOf(point.point, indexPath, () => checkIndex(point, entry, index, made.index, reading, scope))
    if (indexFinding !== undefined) yield indexFinding
  } finally {
    scope.close()
  }
}

/** Rejects when anything about the archive is not as recorded; resolves with the SHA-256 of the index it should have. */
async function readArchive(
  point: Manifest,
  entry: StreamEntry,
  reading: Reading,
  scope: Scope,
  onCluster: KeptSums['onCluster'],
): Promise<string> {
  const index = createIndexWriter()
  const indexHash = createHash('sha256')
  const sha1 = entry.sha1 === undefined ? undefined : createHash('sha1')
  const scanner = scannerOf(entry, index.add, scope, onCluster)
  const file = await openFile(reading.repository, point.folder, entry.file, scope)
  try {
    for await (const chunk of streamBytes(file, entry, scope)) {
      sha1?.update(chunk)
      await scanner?.write(chunk)
      indexHash.update(index.take())
      const held = reading.flow.pass(chunk.length, scope)
      if (held !== undefined) await scope.race(held)
    }
  } finally {
    await file[Symbol.asyncDispose]()
  }
  await scanner?.end()
  if (sha1 !== undefined && sha1.digest('hex') !== entry.sha1)
    throw new HoldfastError('CHECKSUM_MISMATCH', `${file.path}: the SHA-1 of its bytes is not the one that the manifest says`)
  return indexHash.update(index.end()).digest('hex')
}

function scannerOf(
  { name, format, disk }: StreamEntry,
  onEntry: ReturnType<typeof createIndexWriter>['add'],
  { signal }: Scope,
  onCluster: KeptSums['onCluster'],
) {
  if (format === 'tar') return createTarScanner({ what: name, onEntry })
  if (format !== 'vmdk') return undefined
  if (disk === undefined || onCluster === undefined) return createVmdkScanner({ what: name, size: disk?.size })
  return createVmdkReader({ what: name, size: disk.size, onCluster, signal })
}

/** `expected`: the SHA-256 of the plain index; unknown when the archive itself is damaged. */
async function checkIndex(
  point: Manifest,
  entry: StreamEntry,
  index: StoredFileEntry,
  expected: string | undefined,
  reading: Reading,
  scope: Scope,
): Promise<void> {
  const file = await openFile(reading.repository, point.folder, index, scope)
  try {
    const hash = createHash('sha256')
    for await (const chunk of unpacked(file, entry.form, scope)) hash.update(chunk)
    if (expected !== undefined && hash.digest('hex') !== expected)
      throw new HoldfastError('CHECKSUM_MISMATCH', `${file.path}: the index does not list what is in the archive`)
  } finally {
    await file[Symbol.asyncDispose]()
  }
}
