import { open, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chainView, clusterBytes, logicalDigest, type MappedBlocks, overlaySums } from '@holdfast/disk-image'
import { batchesOf, options } from '../support.ts'
import { commandOf, type GuestWrite, pick } from './guest-writes.ts'
import { type Layer, openLayer, sumLayer, type VmdkForm, type Writer, writeQcow2, writeVmdk } from './layers.ts'
import { digestOf, type ModelDisk } from './model-disk.ts'
import type { Qemu } from './qemu.ts'
import type { Chain } from './random-chain.ts'

/** The disk built again from nothing, by qemu-io on a raw file. */
async function rawByQemu(path: string, history: Chain['history'], qemu: Qemu): Promise<void> {
  await writeFile(path, '')
  let writes: GuestWrite[] = []
  const flush = async () => {
    await qemu.io(
      'raw',
      path,
      writes.map((write) => commandOf(write, 'raw')),
    )
    writes = []
  }
  let size = 0
  for (const step of history) {
    if (typeof step !== 'number') writes.push(step)
    else {
      await flush()
      size = step
      await truncate(path, size)
    }
  }
  await flush()
  await truncate(path, size)
}

async function rawDigest(path: string, disk: ModelDisk): Promise<string> {
  const file = await open(path, 'r')
  const small = disk.size <= 16 * 2 ** 20
  const indices = small ? Array.from({ length: Math.ceil(disk.size / clusterBytes) }, (_, index) => index) : disk.clusters.keys()
  try {
    return await digestOf(indices, async (index) => {
      const cluster = Buffer.alloc(clusterBytes)
      await file.read(cluster, 0, clusterBytes, index * clusterBytes)
      return cluster
    })
  } finally {
    await file.close()
  }
}

function fail(what: string): never {
  throw new Error(what)
}

/** Every byte that the view gives is right, and it leaves out nothing that the disk holds. */
async function compareWithModel(view: MappedBlocks, disk: ModelDisk): Promise<void> {
  const left = new Set(disk.clusters.keys())
  for await (const { offset, length, kind } of view.extents(options)) {
    if (kind === 'zero') continue
    const bytes = Buffer.alloc(length)
    await view.readInto(bytes, offset, options)
    if (!bytes.equals(disk.read(offset, length))) fail(`the extent at ${offset} of ${length} bytes is not what was written`)
    for (let at = offset; at < offset + length; at += clusterBytes) left.delete(at / clusterBytes)
  }
  if (left.size > 0) fail(`the clusters ${[...left].slice(0, 5)} are in no extent of data`)
  const part = Buffer.alloc(Math.min(view.size, 4 * 2 ** 20))
  for (const offset of new Set([0, view.size - part.length])) {
    await view.readInto(part, offset, options)
    if (!part.equals(disk.read(offset, part.length))) fail(`${part.length} bytes at ${offset} are not what was written`)
  }
}

async function useView<T>(layers: readonly Layer[], size: number, use: (view: MappedBlocks) => Promise<T>): Promise<T> {
  const view = chainView(await Promise.all(layers.map(openLayer)), size)
  try {
    return await use(view)
  } finally {
    await view[Symbol.asyncDispose]()
  }
}

export interface CheckOptions {
  readonly folder: string
  readonly qemu: Qemu
  readonly random: () => number
}

/** Merges the newest layers into one that takes their place over the others, as a roll-up does. */
async function checkRollUp(chain: Chain, raw: string, { folder, qemu, random }: CheckOptions): Promise<void> {
  const { layers, disk } = chain
  const kept = 1 + Math.floor(random() * (layers.length - 1))
  const base = layers[kept]
  // A smaller layer between hides what is below it, which a header of one file cannot say.
  if (base === undefined || base.format !== 'qcow2' || layers.slice(0, kept).some(({ size }) => size < Math.min(base.size, disk.size)))
    return
  const path = join(folder, 'roll-up', 'disk.qcow2')
  const writer = pick(random, ['plain', 'deflate', 'zstd'] as const)
  const backing = `../${base.path.split('/').slice(-2).join('/')}`
  const layer = await useView(layers.slice(0, kept), disk.size, (view) => writeQcow2(path, view, { covers: 'changes', writer, backing }))
  await qemu.check(path)
  await qemu.compare(raw, path)
  await useView([layer, ...layers.slice(kept)], disk.size, (view) => compareWithModel(view, disk))
  const sums = overlaySums([layer, ...layers.slice(kept)].map(sumLayer))
  if ((await logicalDigest(sums)) !== (await rawDigest(raw, disk))) fail('the digest of the roll-up is another one')
}

const fewBytes = 2 ** 34

/** Compares all of a VMDK, or around what a huge disk holds. */
async function compareVmdk(raw: string, vmdk: string, disk: ModelDisk, qemu: Qemu): Promise<void> {
  if (disk.size <= fewBytes) return qemu.compare(raw, vmdk, 'vmdk')
  const windows = new Set([...disk.clusters.keys()].map((index) => Math.floor((index * clusterBytes) / 2 ** 23) * 2 ** 23))
  for (const offset of windows) {
    const length = Math.min(2 ** 23, disk.size - offset)
    await qemu.comparePart(raw, vmdk, 'vmdk', offset, length - (length % 512))
  }
}

/** Everything that must be true of a chain; throws what is not. */
export async function checkChain(chain: Chain, how: CheckOptions): Promise<void> {
  const { folder, qemu, random } = how
  const { layers, disk, history } = chain
  const [top] = layers
  const raw = join(folder, 'disk.raw')
  await rawByQemu(raw, history, qemu)
  if (top === undefined) return
  if (disk.size > 0) await qemu.compare(raw, top.path, top.format)
  const writer: Writer = pick(random, ['plain', 'plain', 'deflate', 'zstd'])
  const form: VmdkForm = pick(random, ['deflated', 'stored'])
  const merged = join(folder, 'merged', 'disk.qcow2')
  const vmdk = join(folder, 'merged', 'disk.vmdk')
  const whole = await useView(layers, disk.size, async (view) => {
    await compareWithModel(view, disk)
    await writeVmdk(vmdk, view, form)
    return writeQcow2(merged, view, { covers: 'all', writer })
  })
  await qemu.check(merged)
  if (disk.size > 0) {
    await qemu.compare(raw, merged)
    await compareVmdk(raw, vmdk, disk, qemu)
  }
  for (const path of [merged, vmdk]) {
    const format = path === vmdk ? 'vmdk' : 'qcow2'
    const image = await openLayer({ path, format })
    if (image.size !== (format === 'vmdk' ? Math.ceil(disk.size / 512) * 512 : disk.size)) fail(`${path} has a disk of ${image.size} bytes`)
    await compareWithModel(image, disk).finally(() => image[Symbol.asyncDispose]())
  }
  const digests = [
    await logicalDigest(overlaySums(layers.map(sumLayer))),
    await logicalDigest(batchesOf(whole.sums)),
    await rawDigest(raw, disk),
  ]
  if (new Set(digests).size !== 1) fail(`digests of the chain, of its merge and of the raw disk: ${digests}`)
  if (layers.length > 1 && disk.size > 0) await checkRollUp(chain, raw, how)
}
