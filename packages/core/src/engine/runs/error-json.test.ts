import { expect, test } from 'vitest'
import { HoldfastError } from '../../spec/errors.ts'
import { mapError } from '../../spec/helpers/map-error.ts'
import { errorJson } from './finish.ts'

const refused = Object.assign(new Error("EACCES: permission denied, open '/secret/hunter2'"), { code: 'EACCES' })

test('a stored error names the code of its cause, and nothing else of it', () => {
  const mapped = mapError(refused, 'PROVIDER_FAILED', '/srv/zz.part cannot be written')
  expect(errorJson(mapped).message).toBe('/srv/zz.part cannot be written (EACCES)')
  expect(JSON.stringify(errorJson(mapped))).not.toContain('hunter2')
  expect(errorJson(new HoldfastError('RUN_FAILED', 'it failed', { cause: mapped })).message).toBe('it failed (EACCES)')
})

test('a code that the message names already is not told twice, and one that is none is not told', () => {
  expect(errorJson(mapError(refused, 'PROVIDER_FAILED', 'permission is denied (EACCES)')).message).toBe('permission is denied (EACCES)')
  for (const code of ['hunter2', 'E_TOKEN hunter2', 'NOT_FOUND', 13])
    expect(errorJson(mapError(Object.assign(new Error('x'), { code }), 'PROVIDER_FAILED', 'it broke')).message).not.toMatch(/\(/)
  const endless = new HoldfastError('INTERNAL', 'round')
  Object.assign(endless, { cause: endless })
  expect(errorJson(endless).message).toBe('round')
})
