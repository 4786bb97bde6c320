import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import type { Manifest } from '../src/model/manifest.ts'
import { diskFormats, streamStoredDisk } from '../src/transfer/disk-stream.ts'
import { makeDiskChain } from './disk-chain.ts'
import { never, sourceOf, transferFixture } from './transfer-fixture.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261207)
const signal = never()
const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-stream-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

describeWithPeers(['qemu-img'], `qemu-img (seed ${seed})`, ({ 'qemu-img': qemu }) => {
  const run = async (...words: string[]) => (await promisify(execFile)(qemu.path, words)).stdout

  it.each([0, 1, 2, 3, 4])('finds every stream of every point of a chain equal to what the disk held, seed + %i', async (more) => {
    const fixture = transferFixture()
    const { points, contents } = await makeDiskChain(fixture, { seed: seed + more })
    for (const [at, point] of points.entries()) {
      const original = join(folder, 'original.raw')
      // qemu counts in sectors.
      const disk = contents[at] as Buffer
      await writeFile(original, Buffer.concat([disk, Buffer.alloc((512 - (disk.length % 512)) % 512)]))
      for (const format of diskFormats) {
        const file = join(folder, 'sent')
        const [stored] = sourceOf(point as Manifest, { ...fixture, ancestors: points }).disks
        if (stored === undefined) throw new Error('the point has no disk')
        const stream = await streamStoredDisk(stored, format, { signal })
        await writeFile(file, copies(stream.open({ signal })))
        await stream[Symbol.asyncDispose]()
        const { size } = await stat(file)
        expect(size).toBe(stream.size ?? size)
        const theirs = format.replace('-stored', '')
        expect(await run('compare', '-f', theirs, '-F', 'raw', file, original), `${format}, depth ${at + 1}`).toContain(
          'Images are identical',
        )
        if (theirs === 'qcow2') expect(await run('check', '-f', theirs, file)).toContain('No errors were found')
      }
    }
  })
})

async function* copies(chunks: AsyncIterable<Uint8Array>) {
  for await (const chunk of chunks) yield new Uint8Array(chunk)
}
