import { createHash } from 'node:crypto'
import type { StreamItem } from '@holdfast/core/spec'
import { countingIds, vmdkOf } from '@holdfast/testkit'
import { baseDisks } from '../src/engine/points/base-chain.ts'
import type { Manifest } from '../src/model/manifest.ts'
import type { BaseDisk } from '../src/transfer/blocks-item.ts'
import { createScratch, type Scratch } from '../src/transfer/index.ts'
import { bytesOfStream, chunked, never, sourceOf, type TransferFixture } from './transfer-fixture.ts'

export const clusterBytes = 65_536
export const key = 'disk-key'
export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A scratch folder that counts its files. */
export function countedScratch(folder: string): Scratch & { readonly seen: { opened: number; closed: number; written: number } } {
  const scratch = createScratch({ folder, ids: countingIds('scratch') })
  const seen = { opened: 0, closed: 0, written: 0 }
  return {
    seen,
    async open() {
      const file = await scratch.open()
      seen.opened += 1
      return {
        readInto: (target, offset) => file.readInto(target, offset),
        async write(bytes, offset) {
          seen.written += bytes.length
          await file.write(bytes, offset)
        },
        async [Symbol.asyncDispose]() {
          seen.closed += 1
          await file[Symbol.asyncDispose]()
        },
      }
    },
  }
}

export function vmdkItem(disk: Uint8Array, vmdk: Uint8Array = vmdkOf(disk)): StreamItem & { readonly format: 'vmdk' } {
  return {
    name: 'web-disk-0.vmdk',
    format: 'vmdk',
    digests: ['sha1'],
    disk: { key, name: 'root', size: disk.length },
    open: async () => chunked(vmdk, 50_000),
  }
}

/** What a backup may build on after these points, newest first. */
export const basesOf = (points: readonly Manifest[]): readonly BaseDisk[] =>
  baseDisks(points.map((manifest) => ({ reference: { repository: 'r1', folder: manifest.folder, number: manifest.number }, manifest })))

/** The disk of a point, read back through all it builds on. */
export async function diskOf(point: Manifest, ancestors: readonly Manifest[], { repository, clock }: TransferFixture): Promise<Buffer> {
  const [disk] = sourceOf(point, { repository, clock, ancestors }).disks
  if (disk === undefined) throw new Error('the point has no disk')
  const blocks = await disk.open({ signal: never() })
  const bytes = Buffer.alloc(blocks.size)
  for await (const { offset, length, kind } of blocks.extents({ signal: never() }))
    if (kind === 'data') await blocks.readInto(bytes.subarray(offset, offset + length), offset, { signal: never() })
  await blocks[Symbol.asyncDispose]()
  return bytes
}

export { bytesOfStream }
