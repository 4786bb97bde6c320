import { describe, expect, it } from 'vitest'
import { concat, text } from './bytes.ts'
import { seededRandom } from './random.ts'
import { filesOfTar, tarOf } from './tar-bytes.ts'
import { diskOfVmdk, vmdkOf } from './vmdk-bytes.ts'

describe('tar and VMDK bytes', () => {
  it('gives the files back, the same bytes for the same files in any order, and refuses an archive without its end', () => {
    const random = seededRandom(1)
    const files = new Map([...Array(9).keys()].map((index) => [`folder/file-${index}`, random.bytes(random.below(2000))] as const))
    const tar = tarOf(files)
    expect(filesOfTar(tar)).toEqual(files)
    expect(tarOf(new Map([...files].reverse()))).toEqual(tar)
    expect(filesOfTar(tarOf(new Map()))).toEqual(new Map())
    expect(() => filesOfTar(tar.subarray(0, tar.length - 512))).toThrow('without its end blocks')
  })
  it('gives the disk back, the same bytes for the same disk, and refuses a file without its end', () => {
    const random = seededRandom(2)
    const disk = concat([random.bytes(65536), new Uint8Array(3 * 65536), text('x'.repeat(65536 * 2)), random.bytes(1024)])
    const vmdk = vmdkOf(disk)
    expect(Buffer.compare(diskOfVmdk(vmdk, disk.length), disk)).toBe(0)
    expect(Buffer.compare(vmdkOf(disk.slice()), vmdk)).toBe(0)
    expect(() => diskOfVmdk(vmdk.subarray(0, vmdk.length - 512), disk.length)).toThrow('no end-of-stream marker')
  })
})
