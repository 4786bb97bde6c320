import { describe, expect, it } from 'vitest'
import { parseFlatDescriptor } from './vmdk-descriptor.ts'

const what = 'Hard disk 1 of web'
const descriptor = (changes: { readonly [line: string]: string } = {}): string =>
  Object.entries({
    version: 'version=1',
    parent: 'parentCID=ffffffff',
    type: 'createType="vmfs"',
    extent: 'RW 2048 VMFS "web-flat.vmdk"',
    data: 'ddb.adapterType = "lsilogic"',
    ...changes,
  })
    .map(([, line]) => line)
    .join('\n')

const outcome = (text: string): unknown => {
  try {
    return parseFlatDescriptor(text, what)
  } catch (error) {
    return error
  }
}

describe('the descriptor of a disk', () => {
  it('that lies in one flat file names it with the size of the disk', () => {
    expect(outcome(`# Disk DescriptorFile\r\n${descriptor()}\r\n`)).toEqual({ extent: 'web-flat.vmdk', size: 1_048_576 })
    const other = descriptor({ type: 'createType="monolithicFlat"', extent: 'RW 8 FLAT "a b-flat.vmdk" 0' })
    expect(outcome(other)).toEqual({ extent: 'a b-flat.vmdk', size: 4096 })
  })

  it.each([
    ['of a delta', { type: 'createType="vmfsSparse"' }, /delta of a snapshot/],
    ['of a delta in sesparse', { type: 'createType="seSparse"' }, /sesparse/],
    ['of a raw device', { type: 'createType="vmfsRawDeviceMap"' }, /raw device/],
    ['of a kind that nobody knows', { type: 'createType="__proto__"' }, /of the kind/],
    ['with a parent', { parent: 'parentCID=01234567' }, /changes to another disk/],
    ['that names a parent', { data: 'parentFileNameHint="base.vmdk"' }, /changes to another disk/],
    ['that leaves open whether it has a parent', { parent: '' }, /does not say that it has no parent/],
    ['of an object', { extent: 'RW 2048 VMFS "vsan://0123"' }, /its data is "vsan:/],
    ['of several files', { more: 'RW 2048 VMFS "web-2-flat.vmdk"' }, /made of 2 files/],
    ['without a file', { extent: '' }, /made of 0 files/],
  ])('%s is refused as UNSUPPORTED, with the reason', (_which, changes, reason) => {
    expect(outcome(descriptor(changes))).toMatchObject({ code: 'UNSUPPORTED', message: expect.stringMatching(reason) })
  })

  it.each([
    ['with a line that means nothing', { more: 'KDMV\u0000\u0001' }, /means nothing/],
    ['that says something twice', { more: 'createType="vmfs"' }, /createType twice/],
    ['without a kind', { type: '' }, /no createType/],
    ['with a part of a file', { extent: 'RW 2048 FLAT "web-flat.vmdk" 63' }, /not a whole file/],
    ['that may not be written', { extent: 'RDONLY 2048 FLAT "web-flat.vmdk" 0' }, /not a whole file/],
  ])('%s is no descriptor', (_which, changes, reason) => {
    expect(outcome(descriptor(changes))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      message: expect.stringMatching(reason),
    })
  })
})
