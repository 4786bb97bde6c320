import { expect, test } from 'vitest'
import { descriptorOf } from '../../test/support/ovf-descriptors.ts'
import { parseOvf } from '../ovf/parse-ovf.ts'
import { withFileSizes } from './file-sizes.ts'

test('only the sizes of the named files change', () => {
  const text = descriptorOf('vcenter')
  const before = parseOvf(text, { what: 'web.ovf' })
  const [first, ...others] = before.files
  if (first === undefined) throw new Error('the descriptor has no file')
  const after = withFileSizes(text, 'web.ovf', new Map([[first.href, 123_456_789]]))
  expect(parseOvf(after, { what: 'web.ovf' })).toEqual({ ...before, files: [{ ...first, size: 123_456_789 }, ...others] })
  expect(after.replace('123456789', String(first.size))).toBe(text)
})
