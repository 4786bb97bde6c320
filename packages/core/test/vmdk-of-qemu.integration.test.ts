import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createVmdkScanner } from '../src/transfer/vmdk-scanner.ts'

let folder = ''
let vmdk = Buffer.alloc(0)
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vmdk-of-qemu-'))
  const disk = Buffer.alloc(20 * 2 ** 20)
  disk.set(seededRandom(5).bytes(700_000), 3_000_000)
  disk.set(Buffer.alloc(100_000, 'text'), 15_000_000)
  writeFileSync(join(folder, 'disk.raw'), disk)
  execFileSync('qemu-img', [
    'convert',
    '-f',
    'raw',
    '-O',
    'vmdk',
    '-o',
    'subformat=streamOptimized',
    join(folder, 'disk.raw'),
    join(folder, 'disk.vmdk'),
  ])
  vmdk = readFileSync(join(folder, 'disk.vmdk'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function scan(bytes: Uint8Array): string {
  const scanner = createVmdkScanner({ what: 'disk.vmdk' })
  try {
    for (let at = 0; at < bytes.length; at += 65_537) scanner.write(bytes.subarray(at, at + 65_537))
    scanner.end()
    return 'whole'
  } catch (error) {
    return (error as { code: string }).code
  }
}

it('a streamOptimized VMDK written by qemu-img is whole, and TRUNCATED when it is cut at any sector', () => {
  expect(scan(vmdk)).toBe('whole')
  // qemu pads the file with zeros to a whole grain: a cut in there loses nothing.
  const content = Math.ceil((vmdk.findLastIndex((byte) => byte !== 0) + 1) / 512) * 512
  for (let length = 0; length < content; length += 512)
    expect(scan(vmdk.subarray(0, length)), `cut at ${length} of ${vmdk.length}`).toBe('TRUNCATED')
})
