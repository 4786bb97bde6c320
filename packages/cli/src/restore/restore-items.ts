import type { Manifest, ManifestItem } from '@holdfast/core'
import type { DiskFormat, OpenPoint, ProgressMeter } from '@holdfast/core/offline'
import { formatBytes, HoldfastError, type MappedBlocks, throwIfAborted } from '@holdfast/core/spec'
import type { Host } from '../host.ts'
import { syncTree } from './sync-tree.ts'
import type { TargetFolder } from './target-folder.ts'
import { unpack } from './unpack.ts'
import { dataBytesOf, writeDisk, writeStream } from './write-bytes.ts'

/** How items are to be written. */
export interface ItemOptions {
  readonly extract: boolean
  readonly format: DiskFormat
}

/** One item of a point, and the name it gets. */
export interface PlannedItem {
  readonly name: string
  readonly kind: 'disk' | 'archive' | 'folder' | 'file'
  readonly item: ManifestItem
  /** Only of a disk that is written anew. */
  readonly format?: DiskFormat
}

/** Something that was restored whole. JSON. */
export interface RestoredItem extends Pick<PlannedItem, 'name' | 'kind'> {
  /** Bytes of the disk, of the archive before compression, of the file. */
  readonly size: number
  /** Bytes that were written. */
  readonly written: number
  /** Only of a disk: as the platform called it. */
  readonly disk?: { readonly key: string; readonly name: string }
  /** Only of what was written as it was backed up. */
  readonly sha256?: string
  /** Only of a folder. */
  readonly entries?: { readonly files: number; readonly folders: number; readonly links: number }
}

const endOf: { readonly [format in DiskFormat]: string } = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', 'vmdk-stored': 'vmdk' }
const suffixes: readonly string[] = ['.zst', '.gz']

/** The names that items get. They come from the paths of the stored files, which are safe everywhere; no two are the same. */
export function planItems({ items }: Pick<Manifest, 'items'>, options: ItemOptions): readonly PlannedItem[] {
  const taken = new Set<string>()
  return items.map((item) => {
    const planned = plan(item, options)
    // Some file systems cannot tell these apart.
    const fold = (name: string) => name.normalize('NFC').toLowerCase()
    let { name } = planned
    for (let count = 2; taken.has(fold(name)); count++) name = `${planned.name}-${count}`
    taken.add(fold(name))
    return { ...planned, name }
  })
}

function plan(item: ManifestItem, { extract, format }: ItemOptions): PlannedItem {
  const stored = item.file.path.slice(item.file.path.lastIndexOf('/') + 1)
  if (item.type === 'disk') return { name: `${withoutEnd(stored, '.qcow2')}.${endOf[format]}`, kind: 'disk', item, format }
  const name = item.form === 'kept' ? stored : suffixes.reduce(withoutEnd, stored)
  if (item.format !== 'tar') return { name, kind: item.format === 'vmdk' ? 'disk' : 'file', item }
  const bare = withoutEnd(name, '.tar')
  return extract ? { name: bare === '' ? name : bare, kind: 'folder', item } : { name: `${bare}.tar`, kind: 'archive', item }
}

const withoutEnd = (name: string, end: string): string => (name.endsWith(end) ? name.slice(0, -end.length) : name)

/** Where items go, and what tells of it. */
export interface ItemContext {
  readonly opened: OpenPoint
  readonly target: TargetFolder
  readonly meter: ProgressMeter
  readonly host: Pick<Host, 'signal' | 'superuser'>
  warn(message: string): void
}

/** Restores one item under its name, or rejects and leaves nothing of it. Every hash was compared when it resolves. */
export async function restoreItem(planned: PlannedItem, context: ItemContext): Promise<RestoredItem> {
  const { item, name, kind } = planned
  throwIfAborted(context.host.signal)
  const { key = '', name: diskName = '' } = item.disk ?? {}
  const disk = item.disk === undefined ? {} : { disk: { key, name: diskName } }
  if (item.type === 'disk') return { name, kind, ...disk, size: item.disk.size, written: await restoreDisk(planned, key, context) }
  await warnIfTight(planned, item.size, context)
  if (kind === 'folder') return await restoreFolder(planned, item.size, context)
  const stream = await openStream(item, context)
  let written = 0
  await context.target.file(name, async (handle) => {
    written = await writeStream(handle, stream)
    if (written !== item.size) throw new HoldfastError('POINT_DAMAGED', `${name} has ${written} bytes, the manifest says ${item.size}`)
  })
  return { name, kind, ...disk, size: item.size, written, sha256: item.sha256 }
}

async function openStream(item: Extract<ManifestItem, { type: 'stream' }>, { opened, host: { signal } }: ItemContext) {
  const file = opened.source.files.find((each) => each.name === item.name && each.sha256 === item.sha256)
  if (file === undefined) throw new HoldfastError('INTERNAL', `the point has no stream ${item.name}`)
  return await file.open({ signal })
}

async function restoreDisk(planned: PlannedItem, key: string, context: ItemContext): Promise<number> {
  const { opened, target, host } = context
  const { signal } = host
  const disk = opened.source.disks.find((each) => each.key === key)
  if (disk === undefined) throw new HoldfastError('INTERNAL', `the point has no disk ${key}`)
  const blocks: MappedBlocks = await disk.open({ signal })
  try {
    await warnIfTight(planned, await dataBytesOf(blocks, { signal }), context)
    let written = 0
    await target.file(planned.name, async (handle) => {
      written = await writeDisk(handle, blocks, planned.format ?? 'qcow2', { signal })
    })
    return written
  } finally {
    await blocks[Symbol.asyncDispose]()
  }
}

async function restoreFolder(planned: PlannedItem, size: number, context: ItemContext): Promise<RestoredItem> {
  const { target, host, meter } = context
  const { item, name, kind } = planned
  if (item.type !== 'stream') throw new HoldfastError('INTERNAL', `${name} is no archive`)
  const stream = await openStream(item, context)
  let entries = { files: 0, folders: 0, links: 0 }
  await target.folder(name, async (path) => {
    const { warnings, ...made } = await unpack(stream, path, { what: name, superuser: host.superuser })
    meter.step(`making ${name} durable`)
    await syncTree(path, { signal: host.signal })
    entries = made
    for (const warning of warnings) context.warn(warning)
  })
  return { name, kind, size, written: size, entries }
}

/** Not refused: a file system that compresses takes more than it says. */
async function warnIfTight({ name }: PlannedItem, bytes: number, { target, warn }: ItemContext): Promise<void> {
  const free = await target.freeBytes()
  if (bytes > free) warn(`${name} needs ${formatBytes(bytes)}, ${formatBytes(free)} are free in ${target.path}`)
}
