import { describe, expect, it } from 'vitest'
import { descriptorOf } from '../../test/support/ovf-descriptors.ts'
import { checkOvf } from './check-ovf.ts'
import { parseOvf } from './parse-ovf.ts'

const context = { what: 'web.ovf' }
const ovfOf = (name: Parameters<typeof descriptorOf>[0]) => parseOvf(descriptorOf(name), context)
const filesOf = (ovf: ReturnType<typeof parseOvf>) => ovf.files.map(({ href, size = 1 }) => ({ name: href, size }))

describe('a package beside its descriptor', () => {
  it('is whole when every file has exactly its size; others may lie there too', () => {
    const ovf = ovfOf('vcenter')
    expect(() => checkOvf(ovf, [...filesOf(ovf), { name: 'web.mf', size: 3 }], context)).not.toThrow()
  })

  it('11: a file that the descriptor demands and that is not there is named', () => {
    const ovf = ovfOf('vcenter')
    const there = filesOf(ovf).filter(({ name }) => name !== 'web-3.nvram')
    expect(() => checkOvf(ovf, there, context)).toThrow(
      expect.objectContaining({ code: 'POINT_DAMAGED', message: 'web.ovf: "web-3.nvram" is not there' }),
    )
  })

  it('7: the sum of all disks in place of the size of each is found for each', () => {
    const ovf = ovfOf('govc')
    const there = [
      { name: 'files-disk-0.vmdk', size: 1_000_000 },
      { name: 'files-disk-1.vmdk', size: 2_000_000 },
    ]
    expect(() => checkOvf(ovf, there, { what: 'files.ovf', code: 'INVALID_OPTIONS' })).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message:
          'files.ovf: "files-disk-0.vmdk" has 1000000 bytes, the descriptor says 3221225472; "files-disk-1.vmdk" has 2000000 bytes, the descriptor says 3221225472',
      }),
    )
  })

  it('a size that the descriptor does not tell is not compared, a missing file is told all the same', () => {
    const ovf = ovfOf('virtualbox')
    expect(() => checkOvf(ovf, [{ name: 'desk-disk001.vmdk', size: 77 }], context)).not.toThrow()
    expect(() => checkOvf(ovf, [], context)).toThrow('"desk-disk001.vmdk" is not there')
  })

  it('every chunk of a file in chunks is wanted, the last one shorter', () => {
    const ovf = ovfOf('ovftool')
    const chunks = [1_000_000, 1_000_000, 500_000].map((size, index) => ({ name: `appliance-disk1.vmdk.gz.00000000${index}`, size }))
    expect(() => checkOvf(ovf, chunks, context)).not.toThrow()
    expect(() => checkOvf(ovf, chunks.slice(0, 2), context)).toThrow('"appliance-disk1.vmdk.gz.000000002" is not there')
    expect(() => checkOvf(ovf, [{ name: 'appliance-disk1.vmdk.gz', size: 2_500_000 }], context)).toThrow('is not there')
  })

  it('a hundred million chunks are not even named', () => {
    const ovf = ovfOf('ovftool')
    const hostile = { files: ovf.files.map((file) => ({ ...file, size: 1e15, chunkSize: 1 })) }
    expect(() => checkOvf(hostile, [], context)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
})
