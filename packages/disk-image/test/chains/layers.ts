import { mkdir, open, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import {
  type ByteStream,
  type ClusterSum,
  changedBlocks,
  encodeQcow2,
  encodeVmdk,
  fileBlocks,
  fileTarget,
  type MappedBlocks,
  openQcow2,
  openStreamOptimizedVmdk,
  overlaySums,
  packQcow2,
  type SumLayer,
} from '@holdfast/disk-image'
import { batchesOf, never, options } from '../support.ts'
import { commandOf, type GuestWrite } from './guest-writes.ts'
import { blocksOf, type ModelDisk, sourceOf } from './model-disk.ts'
import type { Qemu } from './qemu.ts'

/** A file of a chain, with the sums of its clusters. */
export interface Layer {
  readonly path: string
  readonly format: 'qcow2' | 'vmdk'
  readonly size: number
  readonly sums: readonly ClusterSum[]
}

/** How an image is written: by us, plain or packed, or as a VMDK. */
export type Writer = 'plain' | 'deflate' | 'zstd'
export type VmdkForm = 'deflated' | 'stored'

export const sumLayer = ({ size, sums }: Layer): SumLayer => ({ size, batches: batchesOf(sums, 50) })

async function save(path: string, stream: ByteStream): Promise<number> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  let length = 0
  try {
    for await (const chunk of stream) length += (await file.write(chunk)).bytesWritten
    return length
  } finally {
    await file.close()
  }
}

/** Writes blocks as a qcow2 file, with sums and with the length that was announced. */
export async function writeQcow2(
  path: string,
  blocks: MappedBlocks,
  how: { readonly covers: 'all' | 'changes'; readonly writer: Writer; readonly backing?: string },
): Promise<Layer> {
  await mkdir(dirname(path), { recursive: true })
  const sums: ClusterSum[] = []
  const { writer, ...rest } = how
  const settings = { ...rest, signal: never, onSums: (batch: readonly ClusterSum[]) => void sums.push(...batch) }
  if (writer === 'plain') {
    const encoded = await encodeQcow2(blocks, settings)
    const length = await save(path, encoded.open(options))
    if (length !== encoded.size) throw new Error(`${path}: announced ${encoded.size} bytes, got ${length}`)
  } else {
    const file = await open(path, 'w')
    const packed = await packQcow2(blocks, fileTarget(file), { ...settings, codec: writer, workers: 1 })
    const { size } = await file.stat()
    await file.close()
    if (size !== packed.size) throw new Error(`${path}: said ${packed.size} bytes, has ${size}`)
  }
  return { path, format: 'qcow2', size: blocks.size, sums }
}

export async function writeVmdk(path: string, blocks: MappedBlocks, form: VmdkForm): Promise<void> {
  const encoded = await encodeVmdk(blocks, { ...options, form })
  const length = await save(path, encoded.open(options))
  if (encoded.size !== undefined && length !== encoded.size) throw new Error(`${path}: announced ${encoded.size} bytes, got ${length}`)
}

export async function openLayer({ path, format }: Pick<Layer, 'path' | 'format'>): Promise<MappedBlocks> {
  const source = await fileBlocks(path, options)
  return format === 'vmdk' ? openStreamOptimizedVmdk(source, options) : openQcow2(source, options)
}

/** The sums of a file that QEMU made: what our writer says when it copies it. */
async function layerOf(path: string, format: Layer['format']): Promise<Layer> {
  const blocks = await openLayer({ path, format })
  const sums: ClusterSum[] = []
  const copy = await encodeQcow2(blocks, { covers: 'changes', signal: never, onSums: (batch) => void sums.push(...batch) })
  for await (const _ of copy.open(options));
  await blocks[Symbol.asyncDispose]()
  return { path, format, size: blocks.size, sums }
}

/** What a layer is made of: the disk after the writes, and the clusters that they touched. */
export interface Step {
  readonly path: string
  readonly disk: ModelDisk
  readonly writes: readonly GuestWrite[]
  readonly touched: ReadonlySet<number>
  readonly below: readonly Layer[]
}

const backingOf = ({ below }: Step) => {
  const [base] = below
  return base === undefined ? {} : { backing: `../${base.path.split('/').slice(-2).join('/')}` }
}

/** By us, from the clusters that were touched, or by comparing all of the disk with the sums below. */
export async function ourLayer(step: Step, writer: Writer, byContent: boolean, qemu: Qemu): Promise<Layer> {
  const { path, disk, below } = step
  const [base] = below
  const blocks =
    byContent && base !== undefined
      ? await changedBlocks(sourceOf(disk), overlaySums(below.map(sumLayer)), { ...options, baseSize: base.size })
      : blocksOf(disk, base === undefined ? disk.clusters.keys() : step.touched)
  const layer = await writeQcow2(path, blocks, { covers: base === undefined ? 'all' : 'changes', writer, ...backingOf(step) })
  // The header says that the file below is qcow2, as in every chain of Holdfast.
  if (base?.format === 'vmdk') await qemu.img('rebase', '-u', '-f', 'qcow2', '-F', 'vmdk', '-b', backingOf(step).backing ?? '', path)
  await qemu.check(path)
  return layer
}

/** By QEMU: `flags` say the version and how clusters are packed. */
export async function theirLayer(step: Step, flags: string, form: 'plain' | 'compressed', qemu: Qemu): Promise<Layer> {
  const { path, disk, below, writes } = step
  const { backing } = backingOf(step)
  await mkdir(dirname(path), { recursive: true })
  const base = backing === undefined ? [] : ['-b', backing, '-F', below[0]?.format ?? 'qcow2']
  await qemu.img('create', '-q', '-f', 'qcow2', ...(flags === '' ? [] : ['-o', flags]), ...base, path, String(disk.size))
  await qemu.io(
    'qcow2',
    path,
    writes.map((write) => commandOf(write, form)),
  )
  return layerOf(path, 'qcow2')
}

/** A first layer in a format of exports. */
export async function vmdkLayer(step: Step, form: VmdkForm | 'of qemu', qemu: Qemu): Promise<Layer> {
  const { path, disk } = step
  await mkdir(dirname(path), { recursive: true })
  if (form !== 'of qemu') await writeVmdk(path, blocksOf(disk, disk.clusters.keys()), form)
  else {
    const raw = `${path}.raw`
    await writeRaw(raw, disk)
    await qemu.img('convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, path)
  }
  return layerOf(path, 'vmdk')
}

/** A first layer that qemu-img packed from a raw file. */
export async function convertedLayer(step: Step, flags: string, qemu: Qemu): Promise<Layer> {
  const { path, disk } = step
  await mkdir(dirname(path), { recursive: true })
  const raw = `${path}.raw`
  await writeRaw(raw, disk)
  await qemu.img('convert', '-c', '-f', 'raw', '-O', 'qcow2', '-o', flags, raw, path)
  return layerOf(path, 'qcow2')
}

async function writeRaw(path: string, disk: ModelDisk): Promise<void> {
  const file = await open(path, 'w')
  for (const [index, cluster] of disk.clusters) await file.write(cluster, 0, cluster.length, index * 65_536)
  await file.close()
  await truncate(path, disk.size)
}
