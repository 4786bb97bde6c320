import { describe, expect, it } from 'vitest'
import type { FoundDisk } from '../inventory/disks.ts'
import type { DeviceUrl } from '../lease/device-url.ts'
import { planExport } from './export-files.ts'

const disk = (slot: string, mode = 'persistent') => ({ slot, mode, name: `disk at ${slot}`, key: slot, sizeBytes: 512 }) as FoundDisk
const url = (slot: string) => ({ key: `/vm-1/${slot}`, disk: true }) as DeviceUrl
const options = { machine: 'web', images: true, snapshot: false }
const pairs = (urls: readonly string[], disks: readonly FoundDisk[], more = {}) =>
  planExport(urls.map(url), disks, { ...options, ...more }).files.map((file) => [file.url.key, file.disk?.slot])

describe('the disks of a lease', () => {
  it('are those of the machine by their slots, in whatever order', () => {
    expect(pairs(['b', 'a'], [disk('a'), disk('b')])).toEqual([
      ['/vm-1/b', 'b'],
      ['/vm-1/a', 'a'],
    ])
  })

  it('are known also when one of them is called otherwise', () => {
    expect(pairs(['a', 'other'], [disk('a'), disk('b')])).toEqual([
      ['/vm-1/a', 'a'],
      ['/vm-1/other', 'b'],
    ])
  })

  it.each([
    ['two are called otherwise', ['x', 'y'], ['a', 'b']],
    ['one is not of the machine', ['a', 'b', 'c'], ['a', 'b']],
    ['one of the machine is missing', ['a'], ['a', 'b']],
    ['one comes twice', ['a', 'a'], ['a', 'b']],
  ])('are refused when %s', (_what, urls, slots) => {
    expect(() =>
      pairs(
        urls,
        slots.map((slot) => disk(slot)),
      ),
    ).toThrow(expect.objectContaining({ code: 'PROVIDER_FAILED', retryable: true }))
  })

  it('of a snapshot need not hold independent disks; those of a machine must', () => {
    const disks = [disk('a'), disk('b', 'independent_persistent')]
    expect(planExport([url('a')], disks, { ...options, snapshot: true }).skipped).toHaveLength(1)
    expect(() => pairs(['a'], disks)).toThrow(expect.objectContaining({ code: 'PROVIDER_FAILED' }))
  })
})
