import { createHash } from 'node:crypto'
import { createTarScanner, HoldfastError, type RestoreSource, type StoredDisk } from '@holdfast/core/spec'
import { diskOfVmdk, filesOfTar } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { chainPoint, foreignPoint, keptPoint, nvramBytes, sampleDisks } from '../../test/support/stored-machines.ts'
import { parseManifest } from './manifest.ts'
import { openOva } from './open-ova.ts'
import { packOva } from './pack-ova.ts'
import { parseOvf } from './parse-ovf.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_122)
const disks = sampleDisks(seed)
const { signal } = new AbortController()
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)

async function bytesOfOva(source: RestoreSource) {
  const ova = await openOva(source, { signal })
  const parts: Uint8Array[] = []
  for await (const chunk of ova.open({ signal })) parts.push(new Uint8Array(chunk))
  await ova[Symbol.asyncDispose]()
  const bytes = Buffer.concat(parts)
  return { ova, bytes, files: filesOfTar(bytes) }
}

/** Sizes and sums are those of the files, and every file is named. */
function expectWhole(files: ReadonlyMap<string, Uint8Array>): void {
  const ovf = parseOvf(textOf(files.get('web.ovf')), { what: 'web.ovf' })
  expect(ovf.files.map(({ href, size }) => [href, size])).toEqual(ovf.files.map(({ href }) => [href, files.get(href)?.length]))
  const lines = parseManifest(textOf(files.get('web.mf')), { what: 'web.mf' })
  expect(lines.map(({ name }) => name)).toEqual([...files.keys()].filter((name) => name !== 'web.mf'))
  for (const { name, digest } of lines) expect(digest).toBe(sha256(files.get(name) as Uint8Array))
}

describe(`a point as an OVA (seed ${seed})`, () => {
  it('that was kept as OVF and VMDK goes in as it is, the descriptor first and the manifest last', async () => {
    const { source, vmdks, descriptor } = keptPoint(disks)
    const { ova, bytes, files } = await bytesOfOva(source)
    expect(ova).toMatchObject({ name: 'web.ova', size: bytes.length, mediaType: 'application/x-tar' })
    expect([...files.keys()]).toEqual(['web.ovf', 'web-disk-1.vmdk', 'web-disk-2.vmdk', 'web-disk-3.vmdk', 'web.nvram', 'web.mf'])
    expect(ova.entries.map(({ name, size }) => [name, size])).toEqual([...files].map(([name, { length }]) => [name, length]))
    for (const [name, vmdk] of vmdks) expect(sha256(files.get(name) as Uint8Array)).toBe(sha256(vmdk))
    expect(textOf(files.get('web.ovf'))).toBe(descriptor)
    expectWhole(files)
  })

  it('of a chain is merged on the way: its length is known before the first byte, and the descriptor has the true sizes', async () => {
    const { ova, bytes, files } = await bytesOfOva(chainPoint(disks))
    expect(bytes.length).toBe(ova.size)
    expectWhole(files)
    for (const [index, disk] of [...disks.values()].entries())
      expect(sha256(diskOfVmdk(files.get(`web-disk-${index + 1}.vmdk`) as Uint8Array, disk.length))).toBe(sha256(disk))
    expect(sha256(files.get('web.nvram') as Uint8Array)).toBe(sha256(nvramBytes))
  })

  it('of another platform gets a descriptor that is written from its machine', async () => {
    const { bytes, ova, files } = await bytesOfOva(foreignPoint(disks))
    expect(bytes.length).toBe(ova.size)
    expectWhole(files)
    const { machine, disks: described } = parseOvf(textOf(files.get('web.ovf')), { what: 'web.ovf' })
    expect(machine).toMatchObject({ name: 'web', osType: 'debian10_64Guest', firmware: 'efi' })
    expect(described.map(({ capacity }) => capacity)).toEqual([...disks.values()].map(({ length }) => length))
  })

  it('is read by the strict reader of archives', async () => {
    const { bytes } = await bytesOfOva(chainPoint(disks))
    const names: string[] = []
    const scanner = createTarScanner({ what: 'web.ova', onEntry: ({ name, type }) => names.push(`${type} ${textOf(name)}`) })
    scanner.write(bytes)
    scanner.end()
    expect(names[0]).toBe('file web.ovf')
    expect(names).toHaveLength(6)
  })

  it('that is no machine is refused', async () => {
    const { machine: _machine, ...volume } = foreignPoint(disks)
    await expect(openOva(volume, { signal })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('is no machine'),
    })
  })

  it('with a disk that its descriptor does not name is refused', async () => {
    const source = chainPoint(disks)
    const stray = { ...(source.disks[0] as StoredDisk), key: 'stray', name: 'stray' }
    await expect(openOva({ ...source, disks: [...source.disks, stray] }, { signal })).rejects.toMatchObject({ code: 'POINT_DAMAGED' })
  })

  it('takes the time of its files from the caller, and refuses what is none', async () => {
    const ova = await openOva(foreignPoint(disks), { signal, modifiedAt: '2026-11-20T02:00:00Z' })
    const first = await ova.open({ signal })[Symbol.asyncIterator]().next()
    expect(Number.parseInt(textOf((first.value as Uint8Array).subarray(136, 147)), 8)).toBe(Date.UTC(2026, 10, 20, 2) / 1000)
    await ova[Symbol.asyncDispose]()
    await expect(openOva(foreignPoint(disks), { signal, modifiedAt: 'yesterday' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
  })
})

/** The source with the blocks of its disks watched. */
function watched(source: RestoreSource, onRead: () => Promise<void> | void) {
  const state = { open: 0 }
  const disksOf = source.disks.map(
    (disk): StoredDisk => ({
      ...disk,
      async open(options) {
        const blocks = await disk.open(options)
        state.open++
        return {
          ...blocks,
          async readInto(target, offset, call) {
            await onRead()
            await blocks.readInto(target, offset, call)
          },
          async [Symbol.asyncDispose]() {
            state.open--
            await blocks[Symbol.asyncDispose]()
          },
        }
      },
    }),
  )
  return { source: { ...source, disks: disksOf }, state }
}

describe('while an OVA is read', () => {
  it('nothing of a disk is read before its turn, and dispose closes all of them', async () => {
    let reads = 0
    const { source, state } = watched(chainPoint(disks), () => void reads++)
    const ova = await openOva(source, { signal })
    const chunks = ova.open({ signal })[Symbol.asyncIterator]()
    for (let count = 0; count < 3; count++) await chunks.next()
    expect(reads).toBe(0)
    expect(state.open).toBe(3)
    await chunks.return?.()
    await ova[Symbol.asyncDispose]()
    expect(state.open).toBe(0)
  })

  it('damage in the middle ends it with its code, and no manifest is sent', async () => {
    let reads = 0
    const damaged = new HoldfastError('CHECKSUM_MISMATCH', 'the cluster at 65536 differs')
    const { source } = watched(chainPoint(disks), () => {
      if (++reads > 1) throw damaged
    })
    const ova = await openOva(source, { signal })
    let bytes = 0
    const read = async () => {
      for await (const chunk of ova.open({ signal })) bytes += chunk.length
    }
    await expect(read()).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(bytes).toBeLessThan(ova.size)
    await ova[Symbol.asyncDispose]()
  })

  it('an abort ends it at once, also when the disk hangs', async () => {
    const stop = new AbortController()
    const { source, state } = watched(chainPoint(disks), () => {
      setImmediate(() => stop.abort(new HoldfastError('ABORTED', 'enough')))
      return new Promise(() => {})
    })
    const ova = await openOva(source, { signal })
    const read = async () => {
      for await (const _ of ova.open({ signal: stop.signal }));
    }
    await expect(read()).rejects.toMatchObject({ code: 'ABORTED', message: 'enough' })
    await ova[Symbol.asyncDispose]()
    expect(state.open).toBe(0)
  })
})

describe('the archive', () => {
  const file = (name: string, announced: number, really = announced) => ({
    name,
    size: announced,
    async open() {
      const chunk = new Uint8Array(2 ** 20)
      return (async function* () {
        for (let left = really; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length))
      })()
    },
  })
  const layout = { manifest: 'web.mf', modified: 0 }

  it('of a file beyond 8 GiB has exactly the length that was announced, and its size in the header', async () => {
    const size = 10 * 2 ** 30 + 12_345
    const { size: total, open } = packOva([{ ...file('web.vmdk', size), sha256: '0'.repeat(64) }], layout)
    let bytes = 0
    let header: Buffer | undefined
    for await (const chunk of open({ signal })) {
      header ??= Buffer.from(chunk)
      bytes += chunk.length
    }
    expect(bytes).toBe(total)
    expect(header?.readUInt32BE(124)).toBe(0x8000_0000)
    expect(header?.readBigUInt64BE(128)).toBe(BigInt(size))
  })

  it('says sizes up to 8 GiB in octal, as the oldest readers want it', () => {
    for (const size of [0, 1, 8 * 2 ** 30 - 1]) expect(() => packOva([file('web.vmdk', size)], layout)).not.toThrow()
  })

  it('of a file that is shorter or longer than announced ends in an error, never in an archive', async () => {
    for (const really of [999, 1001, 0]) {
      const { open } = packOva([file('web.vmdk', 1000, really)], layout)
      const read = async () => {
        for await (const _ of open({ signal }));
      }
      await expect(read()).rejects.toMatchObject({ code: 'POINT_DAMAGED', message: expect.stringContaining('where 1000 were announced') })
    }
  })

  it('refuses two files of one name, and a name that its header cannot hold, before the first byte', () => {
    expect(() => packOva([file('a', 1), file('a', 1)], layout)).toThrow(expect.objectContaining({ code: 'POINT_DAMAGED' }))
    expect(() => packOva([file('n'.repeat(101), 1)], layout)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})
