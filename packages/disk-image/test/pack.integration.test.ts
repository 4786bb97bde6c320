import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  type ClusterSum,
  chainView,
  changedBlocks,
  clusterBytes,
  fileBlocks,
  fileTarget,
  logicalDigest,
  type MappedBlocks,
  openQcow2,
  openRawFile,
  type PackedQcow2,
  type PackQcow2Options,
  packQcow2,
} from '@holdfast/disk-image'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../scripts/peers/test-peers.ts'
import { contentNames, contentOf, text } from './pack-support.ts'
import { all, batchesOf, change, fullImage, noise, options, randomFrom, readAll, withExtents } from './support.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024
const tebibyte = 1024 * 1024 * mebibyte
const codecs = ['deflate', 'zstd'] as const

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-image-pack-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Stored extends PackedQcow2 {
  readonly sums: readonly ClusterSum[]
}

async function pack(path: string, blocks: MappedBlocks, given: Omit<PackQcow2Options, 'signal' | 'onSums'>): Promise<Stored> {
  const sums: ClusterSum[] = []
  const file = await open(path, 'wx')
  try {
    const result = await packQcow2(blocks, fileTarget(file), { ...options, ...given, onSums: (batch) => void sums.push(...batch) })
    expect((await file.stat()).size).toBe(result.size)
    return { ...result, sums }
  } finally {
    await file.close()
  }
}

async function packRaw(raw: string, path: string, codec: (typeof codecs)[number]): Promise<Stored> {
  const blocks = await openRawFile(raw, options)
  const stored = await pack(path, blocks, { covers: 'all', codec })
  await blocks[Symbol.asyncDispose]()
  return stored
}

const openImage = async (path: string) => openQcow2(await fileBlocks(path, options), options)

describeWithPeer('qemu-img', 'qemu-img, a second opinion on packed images', ({ path: qemu }) => {
  /** Throws when the exit code is not 0: `check` for damage and leaks, `compare` for a difference. */
  const check = async (image: string) => {
    const { stdout } = await run(qemu, ['check', '--output=json', '-f', 'qcow2', image])
    const report = JSON.parse(stdout)
    expect([report['check-errors'], report.leaks ?? 0, report.corruptions ?? 0]).toEqual([0, 0, 0])
    return report as { 'compressed-clusters'?: number; 'allocated-clusters'?: number }
  }
  const compare = async (raw: string, image: string) => {
    const { stdout } = await run(qemu, ['compare', '-f', 'raw', '-F', 'qcow2', raw, image])
    expect(stdout).toContain('Images are identical.')
  }

  it.each(codecs.flatMap((codec) => contentNames.map((content) => [content, codec] as const)))(
    'finds full images of %s whole and equal, with %s, of all sizes, and so do we',
    async (content, codec) => {
      const random = randomFrom(content.length)
      const sizes = [0, 1, 1000, clusterBytes, clusterBytes + 1, 3 * mebibyte + 77, 9 * mebibyte]
      for (const size of sizes) {
        const raw = join(folder, `${content}-${codec}-${size}.raw`)
        const disk = contentOf(content, size, random)
        await writeFile(raw, disk)
        const stored = await packRaw(raw, `${raw}.qcow2`, codec)
        const report = await check(`${raw}.qcow2`)
        expect(report['compressed-clusters'] ?? 0).toBe(stored.counts.packed)
        expect(report['allocated-clusters'] ?? 0).toBe(stored.counts.packed + stored.counts.plain)
        if (size > 0) await compare(raw, `${raw}.qcow2`)
        const layer = await openImage(`${raw}.qcow2`)
        expect(layer.size).toBe(size)
        expect((await readAll(layer)).equals(disk)).toBe(true)
        await layer[Symbol.asyncDispose]()
        const plain = await fullImage(disk)
        expect(await logicalDigest(batchesOf(stored.sums))).toBe(await logicalDigest(batchesOf(plain.sums)))
        await Promise.all([rm(raw), rm(`${raw}.qcow2`)])
      }
    },
  )

  it.each(codecs.flatMap((codec) => [1, 2].map((seed) => [codec, seed] as const)))(
    'finds each point of a chain of packed increments whole and equal, and so do we, with %s, seed %i',
    async (codec, seed) => {
      const random = randomFrom(seed)
      const name = (point: number) => `chain-${codec}-${seed}-${point}`
      let disk = contentOf('mixed', 4 * mebibyte + Math.floor(random() * mebibyte), random)
      const layers: MappedBlocks[] = []
      for (let point = 0; point < 6; point += 1) {
        const raw = join(folder, `${name(point)}.raw`)
        const image = join(folder, `${name(point)}.qcow2`)
        if (point > 0) {
          const before = disk.length
          if (random() < 0.5) disk = Buffer.concat([disk, Buffer.alloc(Math.floor(random() * 300_000))])
          change(disk, random, 6)
          text(3 * clusterBytes, random).copy(disk, Math.floor((random() * disk.length) / clusterBytes) * clusterBytes)
          await writeFile(raw, disk)
          const view = chainView([...layers], before)
          const { sums } = await fullImage(await readAll(view))
          const changes = await changedBlocks(await fileBlocks(raw, options), batchesOf(sums), { ...options, baseSize: before })
          await pack(image, changes, { covers: 'changes', codec, backing: `${name(point - 1)}.qcow2` })
          await changes[Symbol.asyncDispose]()
        } else {
          await writeFile(raw, disk)
          await packRaw(raw, image, codec)
        }
        await check(image)
        await compare(raw, image)
        layers.unshift(await openImage(image))
        expect((await readAll(chainView([...layers], disk.length))).equals(disk)).toBe(true)
      }
      const view = chainView(layers, disk.length)
      const merged = join(folder, `merged-${codec}-${seed}.qcow2`)
      const stored = await pack(merged, view, { covers: 'all', codec })
      await check(merged)
      await compare(join(folder, `${name(5)}.raw`), merged)
      expect(await logicalDigest(batchesOf(stored.sums))).toBe(await logicalDigest(batchesOf((await fullImage(disk)).sums)))
      await view[Symbol.asyncDispose]()
    },
  )

  it.each(codecs)('sees older data hidden by zeros, known ones and found ones, with %s', async (codec) => {
    const old = noise(8 * clusterBytes, randomFrom(1))
    const raw = join(folder, `hidden-${codec}.raw`)
    await writeFile(raw, old)
    await packRaw(raw, join(folder, `hidden-old-${codec}.qcow2`), codec)
    const disk = Buffer.from(old).fill(0, 2 * clusterBytes, 6 * clusterBytes)
    await writeFile(raw, disk)
    const extents = [
      { offset: 2 * clusterBytes, length: 2 * clusterBytes, kind: 'zero' as const },
      { offset: 4 * clusterBytes, length: 2 * clusterBytes, kind: 'data' as const },
    ]
    const source = await fileBlocks(raw, options)
    const image = join(folder, `hidden-new-${codec}.qcow2`)
    const backing = `hidden-old-${codec}.qcow2`
    expect((await pack(image, withExtents(source, extents), { covers: 'changes', codec, backing })).counts.zero).toBe(4)
    await check(image)
    await compare(raw, image)
    await source[Symbol.asyncDispose]()
  })

  it.each(codecs)('finds a disk of 3 TiB with a few clusters whole and equal, with %s', async (codec) => {
    const size = 3 * tebibyte + 512
    const raw = join(folder, `huge-${codec}.raw`)
    const places = [0, 5 * clusterBytes, 2 * tebibyte - 2 * clusterBytes, 2 * tebibyte, 3 * tebibyte - 7 * clusterBytes]
    const file = await open(raw, 'w')
    const pieces = [text(clusterBytes, randomFrom(2)), noise(clusterBytes, randomFrom(3))] as const
    for (const [position, place] of places.entries()) await file.write(pieces[position % 2 === 0 ? 0 : 1], 0, clusterBytes, place)
    await file.write(pieces[0], 0, 512, 3 * tebibyte)
    await file.close()
    await truncate(raw, size)
    const extents = [...places.map((offset) => ({ offset, length: clusterBytes })), { offset: 3 * tebibyte, length: 512 }]
    const source = await fileBlocks(raw, options)
    const mapped = withExtents(
      source,
      extents.map((extent) => ({ ...extent, kind: 'data' })),
    )
    const image = join(folder, `huge-${codec}.qcow2`)
    await pack(image, mapped, { covers: 'all', codec })
    expect((await stat(image)).size).toBeLessThan(2 * mebibyte)
    await check(image)
    await compare(raw, image)
    const layer = await openImage(image)
    expect((await all(layer.extents(options))).map(({ offset, length }) => ({ offset, length }))).toEqual(extents)
    for (const [position, { offset, length }] of extents.entries()) {
      const part = Buffer.alloc(length)
      await layer.readInto(part, offset, options)
      expect(part.equals((pieces[position === 5 || position % 2 === 0 ? 0 : 1] as Buffer).subarray(0, length))).toBe(true)
    }
    await Promise.all([layer[Symbol.asyncDispose](), source[Symbol.asyncDispose]()])
  })

  it.each(codecs)(
    'finds an image of many packed clusters, and more gathered bytes than one write takes, whole and equal, with %s',
    async (codec) => {
      const raw = join(folder, `many-${codec}.raw`)
      const file = await open(raw, 'w')
      const random = randomFrom(6)
      // Clusters of one byte are packed into so little that hundreds of them share a cluster of the file; packed text often crosses from one to the next.
      for (let cluster = 0; cluster < 9000; cluster += 1)
        await file.write(Buffer.alloc(clusterBytes, 1 + (cluster % 250)), 0, clusterBytes, cluster * clusterBytes)
      const words = text(8 * mebibyte, random)
      for (let at = 0; at < 24 * mebibyte; at += words.length) await file.write(words, 0, words.length, 9000 * clusterBytes + at)
      await file.close()
      const stored = await packRaw(raw, `${raw}.qcow2`, codec)
      expect(stored.counts).toEqual({ packed: 9000 + 24 * 16, plain: 0, zero: 0 })
      await check(`${raw}.qcow2`)
      await compare(raw, `${raw}.qcow2`)
      await Promise.all([rm(raw), rm(`${raw}.qcow2`)])
    },
  )
})

it('ends by itself after an abort half-way: nothing keeps the process alive', async () => {
  const program = `
    import { packQcow2 } from '@holdfast/disk-image'
    const stop = new AbortController()
    const size = 64 * 1024 * 1024
    const source = {
      size,
      readInto: async (target) => void target.fill('some text '),
      async *extents() { yield { offset: 0, length: size, kind: 'data' } },
      [Symbol.asyncDispose]: async () => undefined,
    }
    let writes = 0
    const target = { write: async () => void ((writes += 1) === 1 && stop.abort(new Error('enough'))) }
    await packQcow2(source, target, { covers: 'changes', codec: 'deflate', workers: 4, onSums: () => stop.abort(new Error('enough')), signal: stop.signal })
      .catch((error) => process.stdout.write(error.message))
  `
  const flags = ['--conditions=@holdfast/source', '--input-type=module', '--eval', program]
  const child = spawn(process.execPath, flags, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    output += part
  })
  const [code] = await once(child, 'close')
  expect([code, output]).toEqual([0, 'enough'])
})
