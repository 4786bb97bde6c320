import {
  type BackupSink,
  type BlocksItem,
  type CallOptions,
  type Disk,
  HoldfastError,
  type Receipt,
  type StreamItem,
} from '@holdfast/core/spec'
import { readAll, sha1, sha256 } from './bytes.ts'
import { memoryMappedBlocks, readBlocks } from './memory-blocks.ts'

/** One item of a backup, whole, in memory. Of a disk: its bytes after the base was merged in. */
export type CollectedItem =
  | {
      readonly type: 'disk'
      readonly disk: Disk
      readonly covers: BlocksItem['covers']
      readonly reason?: string
      readonly bytes: Uint8Array
      readonly dataBytes: number
    }
  | {
      readonly type: 'stream'
      readonly name: string
      readonly format: StreamItem['format']
      readonly disk?: Disk
      readonly bytes: Uint8Array
    }

/** A backup sink that keeps everything in memory. `items` are sorted by nothing: parallel items come in the order in which they ended. */
export interface CollectingSink {
  readonly sink: BackupSink
  readonly items: readonly CollectedItem[]
}

/**
 * `base`: what an earlier backup collected, for items that cover only changes. `kept` is what receipts say (default true). `duringItem` is
 * awaited while an item is open and nothing of it has been read.
 */
export function collectingSink({
  signal = new AbortController().signal,
  base = [],
  kept = true,
  duringItem,
}: Partial<CallOptions> & {
  readonly base?: readonly CollectedItem[]
  readonly kept?: boolean
  duringItem?(name: string): Promise<void>
} = {}): CollectingSink {
  const items: CollectedItem[] = []
  const names = new Set<string>()
  const claim = (name: string) => {
    if (names.has(name)) throw new HoldfastError('EXISTS', `two items of one backup are named "${name}"`)
    names.add(name)
  }
  const options = { signal }

  async function blocks(item: BlocksItem): Promise<void> {
    claim(item.disk.key)
    const below = base.find((other) => other.type === 'disk' && other.disk.key === item.disk.key)
    if (item.covers === 'changes' && !below)
      throw new HoldfastError('INVALID_OPTIONS', `disk ${item.disk.key} covers changes, but there is no base`)
    const mapped = item.covers === 'unmapped' ? await unmapped(item, options) : await item.open(options)
    try {
      await duringItem?.(item.disk.key)
      let dataBytes = 0
      for await (const { kind, length } of mapped.extents(options)) dataBytes += kind === 'data' ? length : 0
      const bytes = await readBlocks(mapped, { ...options, ...(item.covers === 'changes' && below && { below: below.bytes }) })
      items.push({ type: 'disk', disk: item.disk, covers: item.covers, ...(item.reason && { reason: item.reason }), bytes, dataBytes })
    } finally {
      await mapped[Symbol.asyncDispose]()
    }
  }

  async function stream(item: StreamItem): Promise<Receipt> {
    claim(item.name)
    const opened = await item.open(options)
    try {
      await duringItem?.(item.name)
    } catch (error) {
      await opened[Symbol.asyncDispose]?.()
      throw error
    }
    const bytes = await readAll(opened, options)
    items.push({ type: 'stream', name: item.name, format: item.format, bytes, ...(item.format === 'vmdk' && { disk: item.disk }) })
    const withSha1 = item.digests?.includes('sha1') ? { sha1: sha1(bytes) } : {}
    return { size: bytes.length, sha256: sha256(bytes), ...withSha1, kept }
  }

  return { sink: { blocks, stream }, items }
}

async function unmapped(item: BlocksItem & { readonly covers: 'unmapped' }, options: CallOptions) {
  const source = await item.open(options)
  const bytes = new Uint8Array(source.size)
  try {
    const step = source.readBytes ?? 1 << 20
    for (let at = 0; at < bytes.length; at += step) await source.readInto(bytes.subarray(at, at + step), at, options)
  } finally {
    await source[Symbol.asyncDispose]()
  }
  return memoryMappedBlocks(bytes)
}
