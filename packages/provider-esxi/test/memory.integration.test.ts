import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MappedBlocks } from '@holdfast/core/spec'
import { type EsxiSimulator, type SimulatedDiskContent, seededRandom, startEsxiSimulator } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bundleChild } from '../../core/test/crash/bundle.ts'
import { machineNamed } from './support/changing-machine.ts'
import { loginOf } from './support/simulated-connection.ts'

const run = promisify(execFile)
const [mebibyte, gibibyte] = [2 ** 20, 2 ** 30]
const never = { signal: new AbortController().signal }
const uuid = '564d0000-0000-0000-0000-000000000001'
const long = process.env.HOLDFAST_LONG === '1'
/** Of data, wherever it lies in the disk: far more than memory may grow by. */
const dataBytes = long ? gibibyte : 64 * mebibyte
const most = 200 * mebibyte
const mostDifference = 20 * mebibyte
/** What lies in each piece cannot be packed, and is told apart by where it lies. */
const pattern = seededRandom(11).bytes(2 * mebibyte)

/** Data in pieces of 1 MiB all over a disk, none of it in memory. */
function spread(size: number): SimulatedDiskContent {
  const step = (size * mebibyte) / dataBytes
  const copy = (target: Uint8Array, offset: number): void => {
    for (let at = 0; at < target.length; ) {
      const [piece, within] = [Math.floor((offset + at) / step), (offset + at) % step]
      const isData = within < mebibyte
      const length = Math.min((isData ? mebibyte : step) - within, target.length - at)
      const from = ((piece * 512) % mebibyte) + within
      if (isData) target.set(pattern.subarray(from, from + length), at)
      else target.fill(0, at, at + length)
      at += length
    }
  }
  const open = (): MappedBlocks => ({
    size,
    readers: 2,
    async readInto(target, offset, { signal }) {
      signal.throwIfAborted()
      copy(target, offset)
    },
    async *extents() {
      for (let offset = 0; offset < size; offset += step) yield { offset, length: Math.min(mebibyte, step), kind: 'data' as const }
    },
    async [Symbol.asyncDispose]() {},
  })
  return { size, open }
}

/** Bytes of data that a machine has got, all of them those of the original. */
async function equalBytes(host: EsxiSimulator, name: string, original: MappedBlocks): Promise<number> {
  const copy = machineNamed(host, name).hardware.disks[0]?.content.open()
  let bytes = 0
  if (copy === undefined) return bytes
  for await (const { offset, length, kind } of copy.extents(never)) {
    if (kind !== 'data') continue
    for (let at = offset; at < offset + length; at += mebibyte) {
      const [mine, theirs] = [copy, original].map(() => new Uint8Array(Math.min(mebibyte, offset + length - at))) as [
        Uint8Array,
        Uint8Array,
      ]
      await copy.readInto(mine, at, never)
      await original.readInto(theirs, at, never)
      expect(Buffer.compare(mine, theirs), `${name} at ${at}`).toBe(0)
      bytes += mine.length
    }
  }
  return bytes
}

let base = ''
let script = ''
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-memory-'))
  script = await bundleChild(base, 'support/memory-child', import.meta.url)
})
afterAll(() => rm(base, { recursive: true, force: true }))

/** What a process needs for a machine with a disk of this size. */
async function measure(size: number): Promise<number> {
  const folder = await mkdtemp(join(base, 'world-'))
  const content = spread(size)
  const host = await startEsxiSimulator({ machines: [{ name: 'web', uuid, powerState: 'poweredOn', disks: [{ content }] }] })
  // Of a long run only that it was taken: the simulated host would hold it in memory.
  host.leases.settings.keepUploads = !long
  try {
    // As the guide starts a service.
    const words = ['--max-semi-space-size=2', script, JSON.stringify(loginOf(host)), uuid, folder]
    const { stdout } = await run(process.execPath, words, { timeout: 3_000_000 })
    const { sizes, stored } = JSON.parse(stdout) as { sizes: { [step: string]: number }; stored: readonly number[] }
    const told = Object.entries(sizes).map(([step, bytes]) => `${step} ${Math.round(bytes / mebibyte)}`)
    console.info(`a disk of ${size / gibibyte} GiB with ${dataBytes / mebibyte} MiB of data, in MiB: ${told.join(', ')}`)
    expect(stored[0]).toBeGreaterThan(dataBytes)
    for (const name of long ? [] : ['full', 'chain']) expect(await equalBytes(host, name, content.open())).toBe(dataBytes)
    return Math.max(...Object.values(sizes))
  } finally {
    await host[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

it('30: a disk of 64 GiB takes as much memory as one of 1 GiB with as much data, and less than 200 MiB', {
  timeout: 3_600_000,
}, async () => {
  const small = await measure(gibibyte)
  const large = await measure(64 * gibibyte)
  expect(Math.max(small, large)).toBeLessThan(most)
  expect(Math.abs(large - small)).toBeLessThan(mostDifference)
})
