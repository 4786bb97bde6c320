import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom, vmdkOf } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bytesOfStream, collect, findingsOf, never, sourceOf, type TransferFixture, transferFixture } from '../../test/transfer-fixture.ts'
import { clusterBytes, countedScratch, vmdkItem } from '../../test/vmdk-points.ts'
import type { Manifest } from '../model/manifest.ts'
import { streamStoredDisk } from './disk-stream.ts'

let folder: string
let fixture: TransferFixture
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmdk-item-sizes-'))
  fixture = transferFixture()
})
afterEach(() => {
  expect(readdirSync(folder)).toEqual([])
  rmSync(folder, { recursive: true })
})

/** Without a scratch folder the VMDK is looked at, but not unpacked. */
const ways = ['with', 'without'] as const
type Way = (typeof ways)[number]
const contextOf = (way: Way) => (way === 'with' ? { scratch: countedScratch(folder) } : {})

const disk = Buffer.from(seededRandom(9).bytes(4 * clusterBytes + 300))
const vmdk = vmdkOf(disk)

const announcing = (size: number) => ({ ...vmdkItem(disk, vmdk), disk: { ...vmdkItem(disk).disk, size } })
const backUp = (way: Way, size = disk.length): Promise<Manifest> =>
  fixture.backup('p1', ({ sink }) => sink.stream(announcing(size)), contextOf(way))

/** What a manifest would be that says another size, as one of an older version may. */
function saying(size: number, point: Manifest): Manifest {
  const [item] = point.items
  if (item?.disk === undefined) throw new Error('no disk')
  return { ...point, items: [{ ...item, disk: { ...item.disk, size } } as typeof item] }
}

describe.each(ways)('a VMDK of another size than was announced, %s scratch folder', (way) => {
  it.each([0, disk.length - 512, disk.length + 512, 900_000])(
    'is refused, and nothing of it is stored: announced as %i bytes',
    async (size) => {
      await expect(backUp(way, size)).rejects.toMatchObject({
        code: 'PROVIDER_FAILED',
        message: `web-disk-0.vmdk: announced as a disk of ${size} bytes, the VMDK is one of ${4 * clusterBytes + 512}`,
      })
      expect([...fixture.repository.snapshot().keys()]).toEqual([])
    },
  )

  it('is found by a verification', async () => {
    const point = await backUp(way)
    expect(await findingsOf(point, fixture)).toEqual([])
    const findings = await findingsOf(saying(disk.length + 4096, point), fixture)
    expect(findings.map(({ file }) => file)).toContain('shop/p1/1/web-disk-0.vmdk')
  })

  it('is found when the disk is opened', async () => {
    const [stored] = sourceOf(saying(disk.length + 4096, await backUp(way)), fixture).disks
    await expect(stored?.open({ signal: never() })).rejects.toMatchObject({
      code: 'POINT_DAMAGED',
      message: expect.stringContaining('shop/p1/1/web-disk-0.vmdk'),
    })
  })
})

describe.each(ways)('a disk that ends inside a sector and came as VMDK, %s scratch folder', (way) => {
  it('opens in its own size, and its data ends with it', async () => {
    const [stored] = sourceOf(await backUp(way), fixture).disks
    if (stored === undefined) throw new Error('the point has no disk')
    const blocks = await stored.open({ signal: never() })
    expect([stored.size, blocks.size]).toEqual([disk.length, disk.length])
    expect(await collect(blocks.extents({ signal: never() }))).toEqual([{ offset: 0, length: disk.length, kind: 'data' }])
    const bytes = Buffer.alloc(disk.length)
    await blocks.readInto(bytes, 0, { signal: never() })
    expect(bytes.equals(disk)).toBe(true)
    await blocks[Symbol.asyncDispose]()
  })

  it('is sent raw with its own length', async () => {
    const [stored] = sourceOf(await backUp(way), fixture).disks
    if (stored === undefined) throw new Error('the point has no disk')
    const stream = await streamStoredDisk(stored, 'raw', { signal: never() })
    expect(stream.size).toBe(disk.length)
    expect((await bytesOfStream(stream.open({ signal: never() }))).equals(disk)).toBe(true)
    await stream[Symbol.asyncDispose]()
  })
})
