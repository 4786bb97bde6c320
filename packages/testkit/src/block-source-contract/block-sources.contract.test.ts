import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type BlockSource,
  chainView,
  changedBlocks,
  encodeQcow2,
  fileBlocks,
  type MappedBlocks,
  mapBlocks,
  openQcow2,
  openRawFile,
} from '@holdfast/disk-image'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { readAll } from '../bytes.ts'
import { memoryBlocks, memoryMappedBlocks } from '../memory-blocks.ts'
import { blockSourceContract } from './block-source-contract.ts'
import { diskForTests } from './disk-for-tests.ts'

const bytes = diskForTests()
const options = { signal: new AbortController().signal }
let folder: string
let raw: string
let qcow2: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-blocks-'))
  raw = join(folder, 'disk.raw')
  qcow2 = join(folder, 'disk.qcow2')
  await writeFile(raw, bytes)
  const encoded = await encodeQcow2(memoryMappedBlocks(bytes), { ...options, covers: 'all' })
  await writeFile(qcow2, await readAll(encoded.open(options)))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const sources: { readonly [name: string]: () => Promise<BlockSource | MappedBlocks> } = {
  memoryBlocks: async () => memoryBlocks(bytes, { readers: 4 }),
  memoryMappedBlocks: async () => memoryMappedBlocks(bytes, { readers: 4 }),
  fileBlocks: () => fileBlocks(raw, options),
  openRawFile: () => openRawFile(raw, options),
  mapBlocks: () => mapBlocks(memoryBlocks(bytes, { readers: 2 }), options),
  openQcow2: async () => openQcow2(await fileBlocks(qcow2, options), options),
  'chainView of two layers': async () => {
    const old = bytes.slice().fill(9, 0, 65536)
    const layers = [memoryMappedBlocks(bytes, { extents: [{ offset: 0, length: 65536, kind: 'data' }] }), memoryMappedBlocks(old)]
    return chainView(layers, bytes.length)
  },
}

for (const [name, open] of Object.entries(sources)) {
  describe(name, () => {
    blockSourceContract({ describe, it, create: async () => ({ source: await open(), bytes }) })
  })
}
describe('changedBlocks without a base', () => {
  async function* nothing() {}
  blockSourceContract({
    describe,
    it,
    create: async () => ({
      source: await changedBlocks(memoryBlocks(bytes), nothing(), { ...options, baseSize: 0 }),
      bytes,
      covers: 'changes',
    }),
  })
})
