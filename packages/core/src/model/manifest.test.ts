import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import { diskEntryOf } from './disk-entries.ts'
import { decodeManifest, encodeManifest, type Manifest, manifestJsonSchema } from './manifest.ts'
import { filesOfManifest } from './manifest-files.ts'
import { pointPath } from './names.ts'
import { pointRow, pointSummary } from './point-row.ts'

const due = Date.UTC(2026, 10, 20, 2)
const workload = { provider: 'esx', id: 'vm-12', name: 'web', kind: 'machine', labels: { tier: 'gold' } } as const
const folder = pointPath(workload, due, 'nightly/esx/vm-12/1')
const parent = '20261119T020000Z-0123456789abcdef'
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const manifest: Manifest = {
  formatVersion: 1,
  repositoryId: 'repository-1',
  folder,
  number: 2,
  point: folder.slice(folder.indexOf('/') + 1),
  createdAt: '2026-11-20T02:04:00.000Z',
  due: '2026-11-20T02:00:00.000Z',
  workload,
  providerKind: 'esxi',
  machine: {
    name: 'web',
    cpus: 2,
    memoryBytes: 1 << 30,
    firmware: 'efi',
    guest: { family: 'linux' },
    disks: [{ key: '2000', bus: 'scsi' }],
    networks: [],
  },
  plan: 'nightly',
  runKey: 'nightly/esx/vm-12/1',
  attempt: 1,
  sequence: 4,
  parents: { '2000': parent },
  items: [
    {
      type: 'disk',
      disk: { key: '2000', name: 'web-disk-0', size: 1 << 20 },
      format: 'qcow2',
      file: { path: '2/disk-0.qcow2', size: 400_000 },
      metadata: { size: 262_144, sha256: hash('metadata') },
      sums: { path: '2/disk-0.sums', size: 100, sha256: hash('sums') },
      digest: hash('digest'),
      form: 'incremental',
      reason: 'the newest point holds this disk',
      parent,
      dataBytes: 131_072,
    },
    {
      type: 'stream',
      name: 'web.ovf',
      format: 'bytes',
      form: 'kept',
      size: 3,
      sha256: hash('ovf'),
      file: { path: '2/web.ovf', size: 3, sha256: hash('ovf') },
    },
    {
      type: 'stream',
      name: 'volume.tar',
      format: 'tar',
      form: 'zstd',
      size: 9,
      sha256: hash('tar'),
      file: { path: '1/volume.tar.zst', size: 7, sha256: hash('zst') },
      index: { path: '1/volume.index', size: 5, sha256: hash('index') },
    },
  ],
  description: { v: 1, nested: [null, true, 1.5, 'ü\u2028'] },
  checkpoint: 'change-7',
  consistency: 'crash',
  skipped: [{ name: 'cd', reason: 'read-only medium' }],
  bytes: { provisioned: 1 << 20, used: 131_072, transferred: 131_084, stored: 400_115 },
  warnings: [{ code: 'SLOW', message: 'it was slow' }],
  rewritten: { by: 'merge', runKey: 'merge/main/1', attempt: 1, at: '2026-11-21T02:00:00.000Z' },
  software: { name: 'holdfast', version: '1.0.0' },
}
const place = { folder, number: 2, repositoryId: 'repository-1' }

const refused = (bytes: Uint8Array, where: Parameters<typeof decodeManifest>[1] = place): { code: string | undefined; message: string } => {
  try {
    decodeManifest(bytes, where)
  } catch (error) {
    return { code: codeOf(error), message: (error as Error).message }
  }
  return { code: undefined, message: 'it was taken' }
}

describe('manifest', () => {
  it('comes back as it was written, and the same bytes are written again', () => {
    const bytes = encodeManifest(manifest)
    expect(decodeManifest(bytes, place)).toEqual(manifest)
    expect(encodeManifest(decodeManifest(bytes, place))).toEqual(bytes)
  })

  it('is readable JSON whose last member is the hash of all bytes before its line', () => {
    const text = new TextDecoder().decode(encodeManifest(manifest))
    const at = text.indexOf('  "sha256": "', text.length - 81)
    expect(text.length - at).toBe(81)
    expect(Object.keys(JSON.parse(text)).at(-1)).toBe('sha256')
    expect(JSON.parse(text).sha256).toBe(hash(text.slice(0, at)))
  })

  it('finds every flipped bit of every byte', () => {
    const bytes = encodeManifest(manifest)
    let tried = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const { code, message } = refused(damaged)
      if (code !== 'POINT_DAMAGED' || !message.includes(`${folder}/manifest.2.json`)) expect.fail(`bit ${bit}: ${code} ${message}`)
      tried++
    }
    expect(tried).toBe(bytes.length * 8)
  })

  it('finds a cut at every length, an appended byte, other line ends and reformatting', () => {
    const bytes = encodeManifest(manifest)
    for (let length = 0; length < bytes.length; length++) expect(refused(bytes.subarray(0, length)).code).toBe('POINT_DAMAGED')
    const text = new TextDecoder().decode(bytes)
    for (const edited of [
      `${text}\n`,
      `${text} `,
      `\ufeff${text}`,
      text.replaceAll('\n', '\r\n'),
      JSON.stringify(JSON.parse(text)),
      text.replace('"web"', '"wob"'),
    ])
      expect(refused(new TextEncoder().encode(edited)).code).toBe('POINT_DAMAGED')
  })

  it('calls a newer format neither a point nor damaged', () => {
    const resigned = (change: object): Uint8Array => {
      const { sha256: _, ...members } = JSON.parse(new TextDecoder().decode(encodeManifest(manifest)))
      const body = `${JSON.stringify({ ...members, ...change }, undefined, 2).slice(0, -2)},\n`
      return new TextEncoder().encode(`${body}  "sha256": "${hash(body)}"\n}\n`)
    }
    expect(refused(resigned({ formatVersion: 2, items: 'other' }))).toMatchObject({
      code: 'UNSUPPORTED_FORMAT',
      message: expect.stringContaining('format version 2'),
    })
    expect(refused(resigned({ tape: 7 }))).toMatchObject({ code: 'UNSUPPORTED_FORMAT', message: expect.stringContaining('tape') })
    expect(refused(resigned({ sequence: -1 }))).toMatchObject({ code: 'POINT_DAMAGED', message: expect.stringContaining('sequence') })
  })

  it('names what is wrong with a manifest that lies in the wrong place', () => {
    const bytes = encodeManifest(manifest)
    expect(refused(bytes, { folder, number: 3 }).message).toContain('manifest.2.json: it lies in the wrong place')
    expect(refused(bytes, { folder: 'other/point', number: 2 }).message).toContain('lies in the wrong place')
    expect(refused(bytes, { ...place, repositoryId: 'repository-2' }).message).toContain(
      'written for repository repository-1, not for repository-2',
    )
    expect(decodeManifest(bytes, { folder, number: 2 })).toEqual(manifest)
  })

  const [disk, ovf, tar] = manifest.items as [Manifest['items'][0], Manifest['items'][0], Manifest['items'][0]]
  const broken: readonly (readonly [string, Partial<Manifest>, string])[] = [
    ['a path that leaves the folder', { items: [{ ...ovf, file: { path: '2/../../x', size: 1 } } as never] }, 'path'],
    ['a path outside the numbers', { items: [{ ...ovf, file: { path: 'pin.json', size: 1 } } as never] }, 'path'],
    ['a file of a later number', { items: [{ ...ovf, file: { path: '3/x', size: 1 } } as never] }, 'later number'],
    ['one file twice', { items: [disk, ovf, ovf, tar] }, 'twice'],
    ['one disk twice', { items: [disk, { ...disk, file: { path: '2/b', size: 1 }, sums: { path: '2/c', size: 1 } } as never] }, 'twice'],
    ['old names of what is no disk', { items: [{ ...ovf, replaces: ['1/web.ovf'] } as never] }, 'replace a disk'],
    ['old names outside the numbers', { items: [{ ...disk, replaces: ['../1/disk-0.qcow2'] } as never] }, 'replaces'],
    ['an incremental disk without its parent', { parents: {} }, 'parent'],
    ['a parent for a disk that is not there', { parents: { '2000': parent, '2001': parent } }, '2001'],
    ['another point id than its folder', { point: parent }, 'folder'],
    ['a size that is no integer', { bytes: { ...manifest.bytes, used: 0.5 } }, 'bytes.used'],
    ['a number that nobody looks for', { number: 100_000 }, 'number'],
    ['no description', { description: undefined as never }, 'description'],
  ]
  it.each(broken)('never writes %s', (_name, change, word) => {
    expect(() => encodeManifest({ ...manifest, ...change })).toThrow(word)
  })

  it('keeps the data of a provider exactly, hostile names included', () => {
    const description = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "2": "b", "1": "a"}')
    const back = decodeManifest(encodeManifest({ ...manifest, description }), place)
    expect(JSON.stringify(back.description)).toBe(JSON.stringify(description))
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('keeps the old names of a VMDK, as of any disk, for what is built on it', () => {
    const stream = {
      type: 'stream',
      name: 'web.vmdk',
      format: 'vmdk',
      form: 'kept',
      size: 3,
      sha256: hash('vmdk'),
      file: { path: '2/web.vmdk', size: 3, sha256: hash('vmdk') },
      disk: { key: '3000', name: 'data', size: 1 << 20 },
      sums: { path: '2/web.sums', size: 56, sha256: hash('sums of it') },
      digest: hash('digest'),
      replaces: ['1/web.vmdk'],
    } as const
    const { items } = decodeManifest(encodeManifest({ ...manifest, items: [...manifest.items, stream] }), place)
    expect(items.at(-1)).toEqual(stream)
    expect(diskEntryOf(stream)).toMatchObject({ format: 'vmdk', replaces: ['1/web.vmdk'] })
  })

  it('tells its files, the list of kept ones included', () => {
    expect(filesOfManifest(manifest)).toEqual([
      '2/disk-0.qcow2',
      '2/disk-0.sums',
      '2/web.ovf',
      '1/volume.tar.zst',
      '1/volume.index',
      '2/SHA256SUMS',
    ])
  })

  it('makes the row of the catalog', () => {
    const row = pointRow('main', manifest)
    expect(row).toMatchObject({
      repository: 'main',
      folder,
      number: 2,
      pointId: manifest.point,
      workload: 'esx/vm-12',
      parents: [parent],
      sequence: 4,
    })
    expect(row.createdAt).toBe(Date.UTC(2026, 10, 20, 2, 4))
    expect(pointSummary(row)).toMatchObject({
      repositoryId: 'repository-1',
      checkpoint: true,
      disks: [{ key: '2000', form: 'incremental', parent }],
    })
    expect(JSON.parse(JSON.stringify(row))).toEqual(row)
  })

  it('has a JSON Schema that requires the checksum', () => {
    const schema = manifestJsonSchema() as { required: string[]; properties: object; additionalProperties: boolean }
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toContain('sha256')
    expect(Object.keys(schema.properties)).toEqual([...Object.keys(manifest), 'sha256'])
    expect(schema.required).toContain('description')
  })
})
