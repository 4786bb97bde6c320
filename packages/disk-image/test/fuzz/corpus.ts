import { execFile } from 'node:child_process'
import { copyFile, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { clusterBytes, encodeVmdk, fileTarget, mapBlocks, packQcow2 } from '@holdfast/disk-image'
import { change, collect, imageOf, memoryBlocks, noise, options, randomFrom, withExtents } from '../support.ts'

const run = promisify(execFile)

/** The images that are mutated. `format` says who reads them. */
export const corpus = [
  { name: 'qcow2-plain', format: 'qcow2' },
  { name: 'qcow2-backing', format: 'qcow2' },
  { name: 'qcow2-deflate', format: 'qcow2' },
  { name: 'qcow2-zstd', format: 'qcow2' },
  { name: 'qcow2-of-qemu', format: 'qcow2' },
  { name: 'qcow2-version-2', format: 'qcow2' },
  { name: 'qcow2-packed-deflate', format: 'qcow2' },
  { name: 'qcow2-packed-zstd', format: 'qcow2' },
  { name: 'vmdk-deflated', format: 'vmdk' },
  { name: 'vmdk-stored', format: 'vmdk' },
  { name: 'vmdk-of-qemu', format: 'vmdk' },
  { name: 'stream-deflated', format: 'vmdk-stream' },
  { name: 'stream-stored', format: 'vmdk-stream' },
  { name: 'stream-of-qemu', format: 'vmdk-stream' },
] as const

export type CorpusName = (typeof corpus)[number]['name']
export type CorpusFormat = (typeof corpus)[number]['format']

const fileOf = (folder: string, name: CorpusName) => join(folder, `${name}.img`)

/** A small disk of which a part can be packed and a part cannot, and a part is zero. */
function mixedDisk(clusters: number): Buffer {
  const disk = Buffer.alloc(clusters * clusterBytes + 512)
  change(disk, randomFrom(clusters), 3)
  disk.fill('a line of a file that can be packed well\n', clusterBytes, 4 * clusterBytes)
  noise(2 * clusterBytes, randomFrom(2)).copy(disk, 5 * clusterBytes)
  return disk
}

/** Data in two L2 tables, zero clusters in both: an increment with its backing name, of a disk with an odd size. */
async function backingImage(): Promise<Buffer> {
  const size = 600 * 2 ** 20 + 77
  const piece = noise(clusterBytes, randomFrom(3))
  const places = [0, 3, 8191, 8192, 9000]
  const zeros = [5, 6, 8200]
  const extents = [
    ...places.map((index) => ({ index, kind: 'data' as const })),
    ...zeros.map((index) => ({ index, kind: 'zero' as const })),
  ]
    .sort((one, other) => one.index - other.index)
    .map(({ index, kind }) => ({ offset: index * clusterBytes, length: clusterBytes, kind }))
  const readInto = async (target: Uint8Array) => {
    for (let at = 0; at < target.length; at += piece.length) target.set(piece.subarray(0, target.length - at), at)
  }
  const blocks = withExtents({ ...memoryBlocks(piece), size, readInto }, extents)
  return (await imageOf(blocks, { covers: 'changes', backing: '../../older/1/disk-0.qcow2' })).file
}

async function vmdkImage(disk: Buffer, form: 'deflated' | 'stored'): Promise<Buffer> {
  const encoded = await encodeVmdk(await mapBlocks(memoryBlocks(disk), options), { ...options, form })
  return collect(encoded.open(options))
}

async function writePacked(path: string, disk: Buffer, codec: 'deflate' | 'zstd'): Promise<void> {
  const file = await open(path, 'w')
  try {
    await packQcow2(await mapBlocks(memoryBlocks(disk), options), fileTarget(file), { ...options, covers: 'changes', codec, workers: 1 })
  } finally {
    await file.close()
  }
}

/** Makes all images in a folder: half of them by QEMU. */
export async function makeCorpus(folder: string, qemuImg: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const path = (name: CorpusName) => fileOf(folder, name)
  const disk = mixedDisk(8)
  const raw = join(folder, 'disk.raw')
  await writeFile(raw, disk)
  await writeFile(path('qcow2-plain'), (await imageOf(await mapBlocks(memoryBlocks(disk), options), { covers: 'all' })).file)
  await writeFile(path('qcow2-backing'), await backingImage())
  await writeFile(path('vmdk-deflated'), await vmdkImage(disk, 'deflated'))
  await writeFile(path('vmdk-stored'), await vmdkImage(disk, 'stored'))
  for (const codec of ['deflate', 'zstd'] as const) await writePacked(path(`qcow2-packed-${codec}`), disk, codec)
  const convert = (name: CorpusName, ...flags: string[]) => run(qemuImg, ['convert', '-f', 'raw', '-O', ...flags, raw, path(name)])
  await convert('qcow2-deflate', 'qcow2', '-c')
  await convert('qcow2-zstd', 'qcow2', '-c', '-o', 'compression_type=zstd')
  await convert('qcow2-version-2', 'qcow2', '-o', 'compat=0.10')
  await convert('vmdk-of-qemu', 'vmdk', '-o', 'subformat=streamOptimized')
  for (const kind of ['deflated', 'stored', 'of-qemu'] as const) await copyFile(path(`vmdk-${kind}`), path(`stream-${kind}`))
  await run(qemuImg, ['create', '-q', '-f', 'qcow2', path('qcow2-of-qemu'), '600M'])
  const commands = [
    'write -P 7 0 192k',
    'write -z 64k 64k',
    'write -c -P 9 1M 64k',
    'write -P 8 540M 64k',
    'discard 0 64k',
    'write -zu 540M 64k',
  ]
  await run(join(dirname(qemuImg), 'qemu-io'), [
    '-d',
    'unmap',
    '-f',
    'qcow2',
    ...commands.flatMap((command) => ['-c', command]),
    path('qcow2-of-qemu'),
  ])
  await rm(raw)
}

/** The images that `makeCorpus` made, in the order of `corpus`. */
export function readCorpus(folder: string): Promise<Buffer[]> {
  return Promise.all(corpus.map(({ name }) => readFile(fileOf(folder, name))))
}
