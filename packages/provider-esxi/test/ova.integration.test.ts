import { execFileSync } from 'node:child_process'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RestoreSource } from '@holdfast/core/spec'
import { expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { openOva } from '../src/ovf/open-ova.ts'
import { packOva } from '../src/ovf/pack-ova.ts'
import { parseOvf } from '../src/ovf/parse-ovf.ts'
import { govc } from './support/govc.ts'
import { openGovmomiHost } from './support/govmomi-host.ts'
import { descriptorOf } from './support/ovf-descriptors.ts'
import { chainPoint, foreignPoint, keptPoint, sampleDisks } from './support/stored-machines.ts'

const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_122)
const disks = sampleDisks(seed)
const { signal } = new AbortController()

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ova-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function writeOva(source: RestoreSource, path: string): Promise<void> {
  const ova = await openOva(source, { signal, modifiedAt: '2026-11-20T02:00:00Z' })
  const file = await open(path, 'wx')
  try {
    for await (const chunk of ova.open({ signal })) await file.write(chunk)
    expect((await file.stat()).size).toBe(ova.size)
  } finally {
    await file.close()
    await ova[Symbol.asyncDispose]()
  }
}

const points: readonly (readonly [string, () => RestoreSource])[] = [
  ['a full that was kept', () => keptPoint(disks).source],
  ['a chain', () => chainPoint(disks)],
  ['a point of another platform', () => foreignPoint(disks)],
]

describeWithPeers(['tar', 'qemu-img'], `an OVA for other programs (seed ${seed})`, ({ tar, 'qemu-img': qemu }) => {
  for (const [name, source] of points)
    it(`of ${name}: tar lists and unpacks it, sha256sum and openssl agree with its manifest, qemu-img finds the disks equal`, () =>
      inFolder(async (folder) => {
        const run = (program: string, ...words: string[]) => execFileSync(program, words, { cwd: folder, encoding: 'utf8' })
        await writeOva(source(), join(folder, 'web.ova'))
        const names = run(tar.path, 'tf', 'web.ova').trim().split('\n')
        expect(names[0]).toBe('web.ovf')
        expect(names.at(-1)).toBe('web.mf')
        expect(run(tar.path, '--utc', '-tvf', 'web.ova')).toContain('2026-11-20 02:00 web.ovf')
        run(tar.path, 'xf', 'web.ova')
        expect(run('sha256sum', '--strict', '-c', 'web.mf').trim().split('\n')).toEqual(names.slice(0, -1).map((each) => `${each}: OK`))
        expect(run('openssl', 'dgst', '-sha256', ...names.slice(0, -1)).replaceAll('SHA2-256', 'SHA256')).toBe(
          await readFile(join(folder, 'web.mf'), 'utf8'),
        )
        for (const [index, disk] of [...disks.values()].entries()) {
          await writeFile(join(folder, 'disk.raw'), disk)
          run(qemu.path, 'compare', '-f', 'raw', '-F', 'vmdk', 'disk.raw', `web-disk-${index + 1}.vmdk`)
        }
      }))
})

/** Python has a reader of its own, and so have govc and its kind: none of them shares code with GNU tar. */
const pythonList = 'import sys, tarfile\nfor e in tarfile.open(sys.argv[1]): print(e.name, e.size, e.offset_data)'

describeWithPeers(['tar', 'python3'], 'an OVA with a file beyond 8 GiB', ({ tar, python3 }) => {
  it('is listed by GNU tar and Python with its size, and with the file behind it', () =>
    inFolder(async (folder) => {
      const size = 10 * 2 ** 30 + 12_345
      const zeros = new Uint8Array(2 ** 20)
      const content = async function* () {
        for (let left = size; left > 0; left -= zeros.length) yield zeros.subarray(0, Math.min(left, zeros.length))
      }
      const { open: openPacked, size: total } = packOva(
        [{ name: 'web-disk-1.vmdk', size, sha256: '0'.repeat(64), open: async () => content() }],
        { manifest: 'web.mf', modified: 0 },
      )
      const file = await open(join(folder, 'web.ova'), 'wx')
      let position = 0
      for await (const chunk of openPacked({ signal })) {
        // Holes stand for the zeros.
        if (chunk.length < zeros.length) await file.write(chunk, 0, chunk.length, position)
        position += chunk.length
      }
      await file.close()
      expect(position).toBe(total)
      const gnu = execFileSync(tar.path, ['-tvf', join(folder, 'web.ova')], { encoding: 'utf8' })
      expect(gnu).toMatch(new RegExp(` ${size} .* web-disk-1\\.vmdk\\n.* 90 .* web\\.mf\\n$`))
      const python = execFileSync(python3.path, ['-c', pythonList, join(folder, 'web.ova')], { encoding: 'utf8' })
      expect(python).toBe(`web-disk-1.vmdk ${size} 512\nweb.mf 90 ${512 + 10 * 2 ** 30 + 12_800 + 512}\n`)
    }))
})

describeWithPeers(['govmomi'], 'for govc', ({ govmomi }) => {
  for (const [name, source] of points)
    it(`8: an OVA of ${name} is imported, its sums agree, and each disk has the same bytes`, () =>
      inFolder(async (folder) => {
        await writeOva(source(), join(folder, 'web.ova'))
        const host = await openGovmomiHost(govmomi)
        try {
          await govc(govmomi, host.login, 'import.ova', '-m', '-name', 'imported', join(folder, 'web.ova'))
          const imported = await host.disksOf('imported')
          expect(imported.map((disk, at) => Buffer.compare(disk, [...disks.values()][at] ?? new Uint8Array()))).toEqual([0, 0, 0])
        } finally {
          await host[Symbol.asyncDispose]()
        }
      }))

  it('a damaged file in an OVA is found by the manifest behind it', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'web.ova')
      await writeOva(keptPoint(disks).source, path)
      const bytes = await readFile(path)
      const at = bytes.indexOf('web.nvram', bytes.indexOf('VirtualSystemType'))
      const content = at + 512 + 10
      bytes[content] = (bytes[content] as number) ^ 1
      await writeFile(path, bytes)
      const host = await openGovmomiHost(govmomi)
      try {
        await expect(govc(govmomi, host.login, 'import.ova', '-m', '-name', 'imported', path)).rejects.toThrow(/checksum|sha256|mismatch/i)
      } finally {
        await host[Symbol.asyncDispose]()
      }
    }))

  it('its reader and ours find the same networks in descriptors of all writers', async () => {
    const host = await openGovmomiHost(govmomi)
    try {
      for (const name of ['vcenter', 'ovftool', 'virtualbox', 'govc'] as const) {
        const path = fileURLToPath(new URL(`descriptors/${name}.ovf`, import.meta.url))
        const spec = JSON.parse(await govc(govmomi, host.login, 'import.spec', path))
        const ours = parseOvf(descriptorOf(name), { what: `${name}.ovf` }).networks
        expect((spec.NetworkMapping ?? []).map((each: { Name: string }) => each.Name)).toEqual(ours.map((each) => each.name))
      }
    } finally {
      await host[Symbol.asyncDispose]()
    }
  })
})
