import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import {
  type ByteStream,
  type ClusterSum,
  chainView,
  changedBlocks,
  clusterBytes,
  type EncodeQcow2Options,
  encodeQcow2,
  encodeSums,
  encodeVmdk,
  fileBlocks,
  logicalDigest,
  type MappedBlocks,
  openQcow2,
  openRawFile,
  openStreamOptimizedVmdk,
  openSums,
  overlaySums,
  verifiedBlocks,
} from '@holdfast/disk-image'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { all, batchesOf, change, failure, memoryBlocks, never, noise, options, randomFrom, readAll, withExtents } from './support.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024
const tebibyte = 1024 * 1024 * mebibyte

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-image-qemu-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function save(path: string, stream: ByteStream): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const file = await open(path, 'w')
  try {
    for await (const chunk of stream) await file.write(chunk)
  } finally {
    await file.close()
  }
}

/** An image with its sums beside it, as a repository keeps them. */
async function store(path: string, blocks: MappedBlocks, encode: Omit<EncodeQcow2Options, 'signal' | 'onSums'>): Promise<void> {
  const sums: ClusterSum[] = []
  const encoded = await encodeQcow2(blocks, { ...encode, signal: never, onSums: (batch) => void sums.push(...batch) })
  await save(path, encoded.open(options))
  expect(sums.length).toBe(encoded.counts.data + encoded.counts.zero)
  await save(`${path}.sums`, encodeSums({ size: blocks.size, count: sums.length }, batchesOf(sums, 1000)).bytes)
}

/** The images of a chain, newest first, every cluster verified. */
async function openChain(paths: readonly string[], size: number): Promise<MappedBlocks> {
  const layers = paths.map(async (path) => {
    const sums = await openSums(await fileBlocks(`${path}.sums`, options), options)
    return verifiedBlocks(await openQcow2(await fileBlocks(path, options), options), sums)
  })
  return chainView(await Promise.all(layers), size)
}

async function merged(paths: readonly string[]) {
  const files = await Promise.all(paths.map(async (path) => openSums(await fileBlocks(`${path}.sums`, options), options)))
  const close = () => Promise.all(files.map((file) => file[Symbol.asyncDispose]()))
  return { sums: overlaySums(files.map((file) => ({ size: file.size, batches: file.batches(options) }))), close }
}

describeWithPeer('qemu-img', 'qemu-img, a second opinion', ({ path: qemu }) => {
  /** Throws when the exit code is not 0: `check` for damage and leaks, `compare` for a difference. */
  const check = async (image: string) => {
    const { stdout } = await run(qemu, ['check', '-f', 'qcow2', image])
    expect(stdout).toContain('No errors were found on the image.')
  }
  const compare = async (raw: string, image: string) => {
    const { stdout } = await run(qemu, ['compare', '-f', 'raw', '-F', 'qcow2', raw, image])
    expect(stdout).toContain('Images are identical.')
  }
  const full = async (raw: string, image: string) => {
    const blocks = await openRawFile(raw, options)
    await store(image, blocks, { covers: 'all' })
    await blocks[Symbol.asyncDispose]()
  }

  it.each([0, 1, 2, 511, 512, 513, 1000, clusterBytes - 1, clusterBytes, clusterBytes + 1, 3 * mebibyte + 77])(
    'finds a full image of %i bytes whole and equal',
    async (size) => {
      const raw = join(folder, `size-${size}.raw`)
      await writeFile(raw, noise(size, randomFrom(size)))
      await full(raw, `${raw}.qcow2`)
      await check(`${raw}.qcow2`)
      if (size > 0) await compare(raw, `${raw}.qcow2`)
      const { stdout } = await run(qemu, ['info', '--output=json', `${raw}.qcow2`])
      expect(JSON.parse(stdout)['virtual-size']).toBe(Math.ceil(size / 512) * 512)
    },
  )

  it.each([1, 2, 3])('finds each point of a chain of 10 whole and equal, while the disk grows, and so do we, seed %i', async (seed) => {
    const random = randomFrom(seed)
    let disk = Buffer.alloc(2 * mebibyte + Math.floor(random() * mebibyte))
    change(disk, random, 20)
    let chain: string[] = []
    for (let point = 0; point < 10; point += 1) {
      if (point > 0 && random() < 0.5) disk = Buffer.concat([disk, Buffer.alloc(Math.floor(random() * 300_000))])
      if (point > 0) change(disk, random, 4)
      const raw = join(folder, `chain-${seed}-${point}.raw`)
      const image = join(folder, `chain-${seed}/p${point}/1/disk-0.qcow2`)
      await writeFile(raw, disk)
      if (point === 0) await full(raw, image)
      else {
        const base = await merged(chain)
        const older = await openSums(await fileBlocks(`${chain[0]}.sums`, options), options)
        const blocks = await changedBlocks(await fileBlocks(raw, options), base.sums, { ...options, baseSize: older.size })
        await store(image, blocks, { covers: 'changes', backing: `../../p${point - 1}/1/disk-0.qcow2` })
        await Promise.all([blocks[Symbol.asyncDispose](), older[Symbol.asyncDispose](), base.close()])
      }
      chain = [image, ...chain]
      await check(image)
      await compare(raw, image)
      const view = await openChain(chain, disk.length)
      expect((await readAll(view)).equals(disk)).toBe(true)
      await view[Symbol.asyncDispose]()
    }
    const view = await openChain(chain, disk.length)
    const image = join(folder, `chain-${seed}/merged.qcow2`)
    await store(image, view, { covers: 'all' })
    await view[Symbol.asyncDispose]()
    await check(image)
    await compare(join(folder, `chain-${seed}-9.raw`), image)
    const [before, after] = [await merged(chain), await merged([image])]
    expect(await logicalDigest(after.sums)).toBe(await logicalDigest(before.sums))
    await Promise.all([before.close(), after.close()])
  })

  it('sees older data hidden by zero clusters', async () => {
    const disk = noise(8 * clusterBytes, randomFrom(1))
    const raw = join(folder, 'hidden.raw')
    await writeFile(raw, disk)
    await full(raw, join(folder, 'hidden-old.qcow2'))
    disk.fill(0, 2 * clusterBytes, 5 * clusterBytes)
    await writeFile(raw, disk)
    const extents = [{ offset: 2 * clusterBytes, length: 3 * clusterBytes, kind: 'zero' as const }]
    const image = join(folder, 'hidden-new.qcow2')
    await store(image, withExtents(memoryBlocks(disk), extents), { covers: 'changes', backing: 'hidden-old.qcow2' })
    await check(image)
    await compare(raw, image)
  })

  it('finds a disk of 3 TiB with a few clusters whole and equal', async () => {
    const size = 3 * tebibyte + 512
    const raw = join(folder, 'huge.raw')
    const places = [0, 5 * clusterBytes, 2 * tebibyte - 2 * clusterBytes, 2 * tebibyte, 3 * tebibyte - 7 * clusterBytes]
    const file = await open(raw, 'w')
    const piece = noise(clusterBytes, randomFrom(2))
    for (const place of places) await file.write(piece, 0, piece.length, place)
    await file.write(piece, 0, 512, 3 * tebibyte)
    await file.close()
    await truncate(raw, size)
    const extents = [...places.map((offset) => ({ offset, length: clusterBytes })), { offset: 3 * tebibyte, length: 512 }]
    const source = await fileBlocks(raw, options)
    const image = join(folder, 'huge.qcow2')
    await store(
      image,
      withExtents(
        source,
        extents.map((extent) => ({ ...extent, kind: 'data' })),
      ),
      { covers: 'all' },
    )
    await check(image)
    await compare(raw, image)
    const { stdout } = await run(qemu, ['map', '--output=json', '-f', 'qcow2', image])
    const data = (JSON.parse(stdout) as { start: number; length: number; data: boolean }[]).filter((part) => part.data)
    expect(data.map(({ start, length }) => ({ offset: start, length }))).toEqual(extents)
    const view = await openChain([image], size)
    expect((await all(view.extents(options))).map(({ offset, length }) => ({ offset, length }))).toEqual(extents)
    for (const { offset, length } of extents) {
      const part = Buffer.alloc(length)
      await view.readInto(part, offset, options)
      expect(part.equals(piece.subarray(0, length))).toBe(true)
    }
    await Promise.all([view[Symbol.asyncDispose](), source[Symbol.asyncDispose]()])
  })

  it.each([
    ['zlib', ['-c']],
    ['zlib in version 2', ['-c', '-o', 'compat=0.10']],
    ['plain in version 2', ['-o', 'compat=0.10']],
    ['zstd', ['-c', '-o', 'compression_type=zstd']],
  ])('writes images that we read: %s', async (name, flags) => {
    const random = randomFrom(name.length)
    const text = Buffer.alloc(3 * mebibyte, 'all work and no play makes Jack a dull boy\n')
    const disk = Buffer.concat([text, noise(mebibyte, random), Buffer.alloc(mebibyte), text.subarray(0, 2 * mebibyte + 512)])
    change(disk, random, 30)
    const raw = join(folder, `packed-${name}.raw`)
    const image = `${raw}.qcow2`
    await writeFile(raw, disk)
    await run(qemu, ['convert', '-f', 'raw', '-O', 'qcow2', ...flags, raw, image])
    const layer = await openQcow2(await fileBlocks(image, options), options)
    expect((await readAll(layer)).equals(disk)).toBe(true)
    for (let round = 0; round < 50; round += 1) {
      const start = Math.floor(random() * disk.length)
      const part = Buffer.alloc(Math.floor(random() * Math.min(disk.length - start, 300_000)))
      await layer.readInto(part, start, options)
      expect(part.equals(disk.subarray(start, start + part.length))).toBe(true)
    }
    await layer[Symbol.asyncDispose]()
  })

  it.each(['deflated', 'stored'] as const)('finds our VMDK equal, %s', async (form) => {
    const random = randomFrom(11)
    const disk = Buffer.alloc(70 * mebibyte)
    change(disk, random, 100)
    const raw = join(folder, `vmdk-${form}.raw`)
    await writeFile(raw, disk)
    const source = await openRawFile(raw, options)
    const encoded = await encodeVmdk(source, { ...options, form })
    await save(`${raw}.vmdk`, encoded.open(options))
    await source[Symbol.asyncDispose]()
    if (form === 'stored') expect((await stat(`${raw}.vmdk`)).size).toBe(encoded.size)
    const { stdout } = await run(qemu, ['compare', '-f', 'raw', '-F', 'vmdk', raw, `${raw}.vmdk`])
    expect(stdout).toContain('Images are identical.')
    const image = await openStreamOptimizedVmdk(await fileBlocks(`${raw}.vmdk`, options), options)
    expect((await readAll(image)).equals(disk)).toBe(true)
    await image[Symbol.asyncDispose]()
  })

  it('writes a streamOptimized VMDK that we read, with its directory in front and no end-of-stream marker', async () => {
    const disk = Buffer.alloc(40 * mebibyte)
    change(disk, randomFrom(12), 60)
    const raw = join(folder, 'their-vmdk.raw')
    await writeFile(raw, disk)
    await run(qemu, ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, `${raw}.vmdk`])
    const image = await openStreamOptimizedVmdk(await fileBlocks(`${raw}.vmdk`, options), options)
    expect((await readAll(image)).equals(disk)).toBe(true)
    await image[Symbol.asyncDispose]()
  })

  it.each([1, 2, 3])('writes images that we read: convert, resize and zero writes, seed %i', async (seed) => {
    const random = randomFrom(seed)
    const disk = Buffer.alloc(5 * mebibyte + Math.floor(random() * 100_000))
    change(disk, random, 20)
    const raw = join(folder, `theirs-${seed}.raw`)
    const image = join(folder, `theirs-${seed}.qcow2`)
    await writeFile(raw, disk)
    await run(qemu, ['convert', '-W', '-f', 'raw', '-O', 'qcow2', raw, image])
    const padded = Buffer.concat([disk, Buffer.alloc((512 - (disk.length % 512)) % 512)])
    const layer = await openQcow2(await fileBlocks(image, options), options)
    expect((await readAll(layer)).equals(padded)).toBe(true)
    await layer[Symbol.asyncDispose]()
    await run(qemu, ['resize', '-f', 'qcow2', image, '6M'])
    const grown = await openQcow2(await fileBlocks(image, options), options)
    expect((await readAll(grown)).equals(Buffer.concat([padded, Buffer.alloc(6 * mebibyte - padded.length)]))).toBe(true)
    await grown[Symbol.asyncDispose]()
  })

  it('resizes our image of an odd size, and we then read the size in the header', async () => {
    const raw = join(folder, 'resized.raw')
    const disk = noise(100_001, randomFrom(3))
    await writeFile(raw, disk)
    await full(raw, `${raw}.qcow2`)
    await run(qemu, ['resize', '-f', 'qcow2', `${raw}.qcow2`, '1M'])
    const layer = await openQcow2(await fileBlocks(`${raw}.qcow2`, options), options)
    expect(layer.size).toBe(mebibyte)
    expect((await readAll(layer)).subarray(0, disk.length).equals(disk)).toBe(true)
    await layer[Symbol.asyncDispose]()
  })

  it.each([
    ['clusters of 4 KiB', ['-o', 'cluster_size=4k'], 'UNSUPPORTED_FORMAT'],
    ['extended L2', ['-o', 'extended_l2=on,cluster_size=128k'], 'UNSUPPORTED_FORMAT'],
  ])('writes images with %s, which we refuse by name', async (name, flags, code) => {
    const raw = join(folder, 'other.raw')
    await writeFile(raw, Buffer.alloc(mebibyte, 7))
    const image = join(folder, `${name.replaceAll(' ', '-')}.qcow2`)
    await run(qemu, ['convert', '-f', 'raw', '-O', 'qcow2', ...flags, raw, image])
    expect(await failure(async () => openQcow2(await fileBlocks(image, options), options))).toMatchObject({ code })
  })
})
