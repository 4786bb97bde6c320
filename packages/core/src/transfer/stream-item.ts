import type { StoredFileEntry, StreamItem as StreamEntry } from '../model/manifest.ts'
import type { Receipt, StreamItem } from '../spec/backup.ts'
import { HoldfastError } from '../spec/errors.ts'
import { createChannel } from './channel.ts'
import type { Flow } from './chunks.ts'
import { compressed, formSuffix, type StreamForm } from './compression.ts'
import { createIndexWriter } from './entry-index.ts'
import { checkItemName } from './item-names.ts'
import { miscounted, putBytes, putFile, type Target, unread, watched } from './put-file.ts'
import { type Received, type Reception, receive } from './receive-stream.ts'
import { runTogether, type Scope } from './scope.ts'
import type { Scratch } from './scratch.ts'
import { sumsOfVmdk } from './vmdk-item.ts'

/** The file names of a stream item. */
export interface StreamNames {
  readonly form: StreamForm
  readonly file: string
  readonly index?: string
  /** Cluster sums of a VMDK. */
  readonly sums?: string
}

export function streamNames(item: StreamItem, compression: 'zstd' | 'gzip' | 'none', withSums: boolean): StreamNames {
  checkItemName(item.name)
  // Only tar is worth it: a streamOptimized VMDK is compressed already, `bytes` are small descriptions that tools read as they are.
  const form = item.format === 'tar' && compression !== 'none' ? compression : 'kept'
  const suffix = formSuffix[form]
  return {
    form,
    file: `${item.name}${suffix}`,
    ...(item.format === 'tar' && { index: `${item.name}.index${suffix}` }),
    ...(item.format === 'vmdk' && withSums && { sums: `${item.name}.sums` }),
  }
}

/** Stores one stream under its names. Resolves when its files are durable and its end was proven. `scratch`: where the sums of a VMDK are until all are known. */
export async function storeStream(
  item: StreamItem,
  names: StreamNames,
  target: Target,
  scope: Scope,
  flow: Flow,
  scratch?: Scratch,
): Promise<{ readonly entry: StreamEntry; readonly receipt: Receipt; readonly usedBytes: number }> {
  const sums = item.format === 'vmdk' && names.sums !== undefined && scratch ? await sumsOfVmdk(item, target, scope, scratch) : undefined
  try {
    const { entry, receipt } = await storeBytes(item, names, target, scope, flow, sums?.onCluster)
    if (sums === undefined || names.sums === undefined) return { entry, receipt, usedBytes: entry.size }
    const { usedBytes, ...made } = await sums.put(names.sums)
    return { entry: { ...entry, ...made }, receipt, usedBytes }
  } finally {
    await sums?.[Symbol.asyncDispose]()
  }
}

async function storeBytes(
  item: StreamItem,
  names: StreamNames,
  target: Target,
  scope: Scope,
  flow: Flow,
  onCluster: Reception['onCluster'],
): Promise<{ readonly entry: StreamEntry; readonly receipt: Receipt }> {
  const received: Received = { size: 0, sha256: '' }
  const index = names.index === undefined ? undefined : { writer: createIndexWriter(), lines: createChannel<Uint8Array>(scope, 4) }
  let file: Required<StoredFileEntry> | undefined
  let indexFile: StoredFileEntry | undefined
  let resume = () => {}

  const storeFile = async () => {
    const bytes = receive({ item, received, scope, flow, onCluster, ...(index !== undefined && { index }) })
    async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
      yield* bytes
      // From here on the repository makes the file durable, which may take longer than any chunk.
      resume = scope.pause()
    }
    try {
      file = await putStream(names, target, chunks(), received, scope)
    } finally {
      // A repository may give up while a piece is still being worked on.
      await scope.settle(bytes.return())
    }
  }
  const storeIndex = async () => {
    if (names.index === undefined || index === undefined) return
    const { values } = index.lines
    indexFile = await putFile(target, names.index, names.form === 'kept' ? values : compressed(values, names.form), scope)
  }
  await runTogether(scope, [storeFile, storeIndex])
  resume()
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
