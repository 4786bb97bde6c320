import { describe, expect, it } from 'vitest'
import * as names from './names.ts'

const due = Date.UTC(2026, 10, 20, 2, 0, 0, 999)

describe('names on disk', () => {
  it('are a slug for people and a hash for us', () => {
    expect(names.workloadFolder({ provider: 'docker', id: 'shop-db' })).toMatch(/^shop-db-[0-9a-f]{16}$/)
    expect(names.pointFolder(due, 'nightly/docker/shop-db/1')).toMatch(/^20261120T020000Z-[0-9a-f]{16}$/)
    expect(names.pointFolder(due, 'a').endsWith(names.runHash('a'))).toBe(true)
  })

  it('do not change: format version 1', () => {
    expect(names.workloadFolder({ provider: 'docker', id: 'shop-db' })).toBe('shop-db-5df0343b0cbd73b7')
    expect(names.pointFolder(due, 'nightly/docker/shop-db/1')).toBe('20261120T020000Z-2db25c260b438de4')
  })

  it('are safe and short whatever the id is', () => {
    const ids = [
      '../../etc/passwd',
      '',
      '.',
      'Ünïcode Völume',
      'x'.repeat(5000),
      'a b\nc',
      '💾',
      'CON',
      '-rf',
      'a/b',
      '\0',
      'Ⅷ',
      'ſ',
      '٣',
      'ABC'.repeat(40),
    ]
    for (const id of ids) {
      const folder = names.workloadFolder({ provider: 'p', id })
      expect(folder, JSON.stringify(id)).toMatch(/^[a-z0-9][a-z0-9-]{0,39}-[0-9a-f]{16}$/)
      const path = names.pointPath({ provider: 'p', id }, due, 'key')
      expect(names.parsePointPath(path)).toMatchObject({
        workloadFolder: folder,
        run: names.runHash('key'),
        due: Date.UTC(2026, 10, 20, 2),
      })
      expect(names.parseRepositoryPath(names.manifestPath(path, 3))).toEqual({ kind: 'manifest', folder: path, number: 3 })
    }
    expect(new Set(ids.map((id) => names.workloadFolder({ provider: 'p', id }))).size).toBe(ids.length)
  })

  it('tell workloads apart that look alike', () => {
    const folders = [
      { provider: 'a', id: 'b/c' },
      { provider: 'a', id: 'b-c' },
      { provider: 'b', id: 'b/c' },
      { provider: 'a', id: 'B/C' },
    ].map(names.workloadFolder)
    expect(new Set(folders).size).toBe(4)
  })

  const folder = names.pointPath({ provider: 'docker', id: 'shop-db' }, due, 'key')
  it.each([
    ['repository.json', { kind: 'repository' }],
    [`${folder}/manifest.12.json`, { kind: 'manifest', folder, number: 12 }],
    [`${folder}/pin.json`, { kind: 'flag', folder, flag: 'pin' }],
    [`${folder}/verified.json`, { kind: 'flag', folder, flag: 'verified' }],
    [`${folder}/7/disk-0.qcow2`, { kind: 'data', folder, number: 7, name: 'disk-0.qcow2' }],
    [`${folder}/manifest.99999.json`, { kind: 'manifest', folder, number: names.highestNumber }],
    [`${folder}/99999/disk-0.qcow2`, { kind: 'data', folder, number: names.highestNumber, name: 'disk-0.qcow2' }],
    [`${folder}/7/deep/file`, { kind: 'data', folder, number: 7, name: 'deep/file' }],
  ] as const)('read back %s', (path, expected) => {
    expect(names.parseRepositoryPath(path)).toEqual(expected)
  })

  it.each([
    'readme.txt',
    `${folder}/manifest.0.json`,
    `${folder}/manifest.01.json`,
    `${folder}/manifest.1.json.bak`,
    `${folder}/manifest.-1.json`,
    `${folder}/manifest.100000.json`,
    `${folder}/manifest.999999999.json`,
    `${folder}/100000/disk-0.qcow2`,
    `${folder}/notes.json`,
    `${folder}/0/x`,
    `${folder}/x/disk.qcow2`,
    `${folder}/`,
    'lost+found/x',
    `../${folder}/manifest.1.json`,
    `${folder.toUpperCase()}/manifest.1.json`,
  ])('leave %s alone', (path) => {
    expect(names.parseRepositoryPath(path)).toEqual({ kind: 'foreign' })
  })

  it('give the number of a path inside a point', () => {
    expect(names.numberOfManifest('manifest.3.json')).toBe(3)
    expect(names.numberOfManifest('3/disk')).toBeUndefined()
    expect(names.numberOfPath('3/disk')).toBe(3)
    expect(names.numberOfPath('manifest.3.json')).toBeUndefined()
    expect(names.numberOfPath('pin.json')).toBeUndefined()
    expect(names.numberOfManifest('manifest.100000.json')).toBeUndefined()
    expect(names.numberOfPath('100000/disk')).toBeUndefined()
  })

  it('part the key of a workload at its first slash', () => {
    expect(names.parseWorkloadKey(names.workloadKey({ provider: 'a', id: 'b/c' }))).toEqual({ provider: 'a', id: 'b/c' })
    expect(() => names.parseWorkloadKey('nothing')).toThrow('not the key')
  })

  it('refuse times that cannot be names', () => {
    for (const time of [Number.NaN, Number.POSITIVE_INFINITY, 9e15, Date.UTC(10000, 0)])
      expect(() => names.pointFolder(time, 'k')).toThrow('not a time')
  })
})
