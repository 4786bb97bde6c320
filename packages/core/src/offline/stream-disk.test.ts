import { createHash } from 'node:crypto'
import { fakeClock, memoryRepository, readBlocks } from '@holdfast/testkit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { damageWorld } from '../../test/damage/damage-world.ts'
import { createProgressMeter } from '../transfer/index.ts'
import { type DiskFormat, diskFormats, openOffline } from './index.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20261208)
const { signal } = new AbortController()
const clock = fakeClock()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

async function opened() {
  const repository = memoryRepository()
  const { engine } = await damageWorld({ seed, repository, rounds: 3 })
  onTestFinished(() => engine.stop())
  const offline = await openOffline({ repository, clock, signal })
  const meter = createProgressMeter({ clock })
  const points = offline.points.filter(({ workload }) => ['ovirt', 'esxi'].includes(workload.provider))
  return { offline, points, meter, open: (at: number) => offline.open(points[at] as never, { signal, meter }) }
}

describe(`a disk of a point in a repository without a store (seed ${seed})`, () => {
  it('is streamed in each format, chains and exports alike, and what it reads is told to the meter', async () => {
    const { points, open, meter } = await opened()
    expect(points.length).toBeGreaterThan(2)
    for (const at of points.keys()) {
      const point = await open(at)
      expect(point.source.disks.length).toBeGreaterThan(0)
      for (const { key, name, size, open: openBlocks } of point.source.disks) {
        const blocks = await openBlocks({ signal })
        const bytes = await readBlocks(blocks, { signal })
        await blocks[Symbol.asyncDispose]()
        for (const format of diskFormats) {
          const before = meter.snapshot().bytes
          const stream = await point.streamDisk(key, { format, signal })
          const parts: Buffer[] = []
          for await (const chunk of stream.open({ signal })) parts.push(Buffer.from(chunk))
          const sent = Buffer.concat(parts)
          expect(stream).toMatchObject({ format, disk: { key, name, size } })
          expect(sent.length).toBe(stream.size ?? sent.length)
          if (format === 'raw') expect(sha256(sent)).toBe(sha256(bytes))
          expect(meter.snapshot().bytes - before).toBeGreaterThan(0)
          await stream[Symbol.asyncDispose]()
        }
      }
    }
  })

  it('that is not there is NOT_FOUND, with those that are', async () => {
    const { open } = await opened()
    const point = await open(0)
    const keys = point.source.disks.map(({ key }) => key).join(', ')
    await expect(point.streamDisk('no such disk', { format: 'raw', signal })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      remedy: `There are: ${keys}.`,
    })
    await expect(point.streamDisk(point.source.disks[0]?.key ?? '', { format: 'vhd' as DiskFormat, signal })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
    })
  })
})
