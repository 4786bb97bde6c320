import { createHash } from 'node:crypto'
import type { Manifest, StoredFileEntry, StreamItem as StreamEntry } from '../model/manifest.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createTarScanner } from '../spec/helpers/tar/index.ts'
import { createIndexWriter } from './entry-index.ts'
import { type Finding, findingOf } from './finding.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { openFile, streamBytes, unpacked } from './stored-bytes.ts'
import { createVmdkScanner } from './vmdk-scanner.ts'

/** Reads a stream and its index to their ends. The index is made again from the archive and compared. */
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
    const finding = await findingOf(point.point, path, async () => {
      made.index = await readArchive(point, entry, reading, scope)
    })
    if (finding !== undefined) yield finding
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
async function readArchive(point: Manifest, entry: StreamEntry, reading: Reading, scope: Scope): Promise<string> {
  const index = createIndexWriter()
  const indexHash = createHash('sha256')
  const sha1 = entry.sha1 === undefined ? undefined : createHash('sha1')
  const scanner = scannerOf(entry, index.add)
  const file = await openFile(reading.repository, point.folder, entry.file, scope)
  try {
    for await (const chunk of streamBytes(file, entry, scope)) {
      sha1?.update(chunk)
      scanner?.write(chunk)
      indexHash.update(index.take())
      const held = reading.flow.pass(chunk.length, scope)
      if (held !== undefined) await scope.race(held)
    }
  } finally {
    await file[Symbol.asyncDispose]()
  }
  scanner?.end()
  if (sha1 !== undefined && sha1.digest('hex') !== entry.sha1)
    throw new HoldfastError('CHECKSUM_MISMATCH', `${file.path}: the SHA-1 of its bytes is not the one that the manifest says`)
  return indexHash.update(index.end()).digest('hex')
}

function scannerOf({ name, format }: StreamEntry, onEntry: ReturnType<typeof createIndexWriter>['add']) {
  if (format === 'tar') return createTarScanner({ what: name, onEntry })
  return format === 'vmdk' ? createVmdkScanner({ what: name }) : undefined
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
