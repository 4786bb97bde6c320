import { createHash } from 'node:crypto'
import type { StoredFileEntry, StreamItem as StreamEntry } from '../model/manifest.ts'
import type { Receipt, StreamItem } from '../spec/backup.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createTarScanner } from '../spec/helpers/tar/index.ts'
import { type Channel, createChannel } from './channel.ts'
import { type Flow, gather, readStream } from './chunks.ts'
import { compressed, formSuffix, type StreamForm } from './compression.ts'
import { createIndexWriter, type IndexWriter } from './entry-index.ts'
import { checkItemName } from './item-names.ts'
import { openOnce } from './open-once.ts'
import { miscounted, putBytes, putFile, type Target, unread, watched } from './put-file.ts'
import { runTogether, type Scope } from './scope.ts'
import { createVmdkScanner } from './vmdk-scanner.ts'

/** The file names of a stream item. */
export interface StreamNames {
  readonly form: StreamForm
  readonly file: string
  readonly index?: string
}

export function streamNames(item: StreamItem, compression: 'zstd' | 'gzip' | 'none'): StreamNames {
  checkItemName(item.name)
  // Only tar is worth it: a streamOptimized VMDK is compressed already, `bytes` are small descriptions that tools read as they are.
  const form = item.format === 'tar' && compression !== 'none' ? compression : 'kept'
  const suffix = formSuffix[form]
  return { form, file: `${item.name}${suffix}`, ...(item.format === 'tar' && { index: `${item.name}.index${suffix}` }) }
}

interface Received {
  size: number
  /** Empty until the end was proven. */
  sha256: string
  sha1?: string
}
interface Reception {
  readonly item: StreamItem
  readonly index: IndexWriter | undefined
  readonly lines: Channel<Uint8Array>
  readonly received: Received
  readonly scope: Scope
  readonly flow: Flow
}

/** Stores one stream under its names. Resolves when its files are durable and its end was proven. */
export async function storeStream(
  item: StreamItem,
  names: StreamNames,
  target: Target,
  scope: Scope,
  flow: Flow,
): Promise<{ readonly entry: StreamEntry; readonly receipt: Receipt }> {
  const received: Received = { size: 0, sha256: '' }
  const index = names.index === undefined ? undefined : createIndexWriter()
  const lines = createChannel<Uint8Array>(scope, 4)
  let file: Required<StoredFileEntry> | undefined
  let indexFile: StoredFileEntry | undefined

  const storeFile = async () => {
    const chunks = receive({ item, index, lines, received, scope, flow })
    file = await putStream(names, target, chunks, received, scope)
  }
  const storeIndex = async () => {
    if (names.index === undefined) return
    indexFile = await putFile(target, names.index, names.form === 'kept' ? lines.values : compressed(lines.values, names.form), scope)
  }
  await runTogether(scope, [storeFile, storeIndex])
  if (file === undefined) throw unread(target, names.file)

  const entry: StreamEntry = {
    type: 'stream',
    name: item.name,
    format: item.format,
    form: names.form,
    ...received,
    file,
    ...(indexFile !== undefined && { index: indexFile }),
    ...(item.format === 'vmdk' && { disk: item.disk }),
  }
  return { entry, receipt: { ...received, kept: names.form === 'kept' } }
}

async function putStream(
  names: StreamNames,
  target: Target,
  chunks: AsyncIterable<Uint8Array>,
  received: Received,
  scope: Scope,
): Promise<Required<StoredFileEntry>> {
  if (names.form !== 'kept') {
    const stored = await putFile(target, names.file, compressed(chunks, names.form), scope)
    if (received.sha256 === '') throw unread(target, names.file)
    return stored
  }
  // Kept as it came: the bytes that were received are the bytes that are stored, so one hash tells both.
  const { size, sha256 } = await putBytes(target, names.file, watched(chunks, scope), scope)
  if (received.sha256 === '') throw unread(target, names.file)
  if (sha256 === undefined && size !== received.size) throw miscounted(target, names.file, size, received.size)
  return { path: `${target.number}/${names.file}`, size, sha256: sha256 ?? received.sha256 }
}

interface Scanner {
  write(chunk: Uint8Array): void
  end(): void
}

function scannerOf(item: StreamItem, index: IndexWriter | undefined): Scanner | undefined {
  if (item.format === 'vmdk') return createVmdkScanner({ what: item.name })
  if (item.format === 'tar') return createTarScanner({ what: item.name, ...(index !== undefined && { onEntry: index.add }) })
  return undefined
}

/** Opens the item and gives its bytes on in large pieces, after they were hashed and scanned. Throws instead of ending when the end is not proven. */
async function* receive(reception: Reception): AsyncGenerator<Uint8Array, void, undefined> {
  const { item, index, lines, received, scope, flow } = reception
  const sha256 = createHash('sha256')
  const sha1 = item.digests?.includes('sha1') === true ? createHash('sha1') : undefined
  const scanner = scannerOf(item, index)
  try {
    const stream = await openOnce(() => item.open({ signal: scope.signal }), scope)
    // A codec gathers for itself what it works on meanwhile; here every byte is done with before the next is asked for.
    for await (const piece of gather(readStream(stream, scope, flow), true)) {
      sha256.update(piece)
      sha1?.update(piece)
      scanner?.write(piece)
      received.size += piece.length
      await sendLines(index?.take(), lines)
      yield piece
    }
    scanner?.end()
    await sendLines(index?.end(), lines)
  } catch (error) {
    // Told to the scope here, because a repository may wrap what its source throws.
    scope.fail(error)
    throw error
  }
  lines.end()
  received.sha256 = sha256.digest('hex')
  if (sha1 !== undefined) received.sha1 = sha1.digest('hex')
  // From here on the repository makes the file durable, which may take longer than any chunk.
  scope.pause()
}

async function sendLines(bytes: Uint8Array | undefined, lines: Channel<Uint8Array>): Promise<void> {
  if (bytes !== undefined && bytes.length > 0) await lines.send(bytes)
}

/** For formats that need a disk, and digests we do not know: what types cannot hold back. */
export function checkStreamItem(item: StreamItem): void {
  if (item.format !== 'tar' && item.format !== 'vmdk' && item.format !== 'bytes')
    throw new HoldfastError(
      'INVALID_OPTIONS',
      `item ${JSON.stringify((item as StreamItem).name)}: format ${JSON.stringify((item as StreamItem).format)} is not tar, vmdk or bytes`,
    )
  if (item.format === 'vmdk' && item.disk === undefined)
    throw new HoldfastError('INVALID_OPTIONS', `item ${JSON.stringify(item.name)}: a vmdk needs its disk`)
}
