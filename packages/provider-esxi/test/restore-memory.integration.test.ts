import type { MappedBlocks } from '@holdfast/core/spec'
import { seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { restoreHost } from './support/restore-host.ts'
import { restorePoint } from './support/restore-point.ts'

const mebibyte = 1024 * 1024
const diskBytes = 8192 * mebibyte
/** Far more than the bound below: whoever holds it whole is found. */
const dataBytes = 512 * mebibyte
const mostGrowth = 200 * mebibyte

/** A disk of 8 GiB with 512 MiB of data in pieces all over it, none of it in memory. */
function sparseDisk(): MappedBlocks {
  const pattern = seededRandom(11).bytes(mebibyte)
  const step = diskBytes / 128
  return {
    size: diskBytes,
    readers: 2,
    async readInto(target, offset, { signal }) {
      signal.throwIfAborted()
      for (let at = 0; at < target.length; ) {
        const part = pattern.subarray((offset + at) % mebibyte, ((offset + at) % mebibyte) + target.length - at)
        target.set(part, at)
        at += part.length
      }
    },
    async *extents() {
      for (let offset = 0; offset < diskBytes; offset += step) yield { offset, length: dataBytes / 128, kind: 'data' as const }
    },
    async [Symbol.asyncDispose]() {},
  }
}

test('30: a disk of 8 GiB with 512 MiB of data is sent without more than 200 MiB of memory', async () => {
  const host = await restoreHost()
  host.simulator.leases.settings.keepUploads = false
  const base = restorePoint({
    chain: true,
    disks: [new Uint8Array(65_536)],
    change: (text) => text.replace('ovf:capacity="65536"', `ovf:capacity="${diskBytes}"`),
  })
  const source = { ...base, disks: base.disks.map((disk) => ({ ...disk, size: diskBytes, open: async () => sparseDisk() })) }
  await host.restore(restorePoint(), host.run(), { name: 'first' })
  const before = process.memoryUsage.rss()
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 50)
  await host.restore(source, host.run({ attempt: 2 })).finally(() => clearInterval(watch))
  expect(host.simulator.machine('web')?.hardware.disks[0]?.content.size).toBe(diskBytes)
  expect(most - before).toBeLessThan(mostGrowth)
  await host[Symbol.asyncDispose]()
})
