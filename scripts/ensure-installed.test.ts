import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { whatIsMissing } from './ensure-installed.js'
import { root } from './peers/locations.ts'

describe('what npm test asks before it installs', () => {
  let folder: string
  const put = (path: string, value: unknown) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), JSON.stringify(value))
  }
  const lock = {
    '': {},
    'packages/core': { version: '1.0.0' },
    'node_modules/a': { version: '1.0.0' },
    'node_modules/@holdfast/core': { link: true },
    'node_modules/for-windows': { version: '1.0.0', optional: true },
  }
  const installed = { 'node_modules/a': { version: '1.0.0' }, 'node_modules/@holdfast/core': { link: true } }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-installed-'))
    put('package-lock.json', { packages: lock })
    put('node_modules/.package-lock.json', { packages: installed })
    put('node_modules/node/bin/node', '')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('is content with what the lock file says, optional packages of other platforms aside', () => {
    expect(whatIsMissing(folder)).toBeUndefined()
  })

  it('finds that nothing is installed', () => {
    rmSync(join(folder, 'node_modules'), { recursive: true })
    expect(whatIsMissing(folder)).toBe('nothing is installed')
  })

  it('finds another version, a new package and a new workspace', () => {
    put('package-lock.json', { packages: { ...lock, 'node_modules/a': { version: '2.0.0' } } })
    expect(whatIsMissing(folder)).toBe('node_modules/a is 1.0.0 instead of 2.0.0')
    put('package-lock.json', { packages: { ...lock, 'node_modules/b': { version: '2.0.0' } } })
    expect(whatIsMissing(folder)).toBe('node_modules/b is missing')
    put('package-lock.json', { packages: { ...lock, 'node_modules/@holdfast/new': { link: true } } })
    expect(whatIsMissing(folder)).toBe('node_modules/@holdfast/new is missing')
  })

  it('finds that the newer Node could not be fetched', () => {
    rmSync(join(folder, 'node_modules/node'), { recursive: true })
    expect(whatIsMissing(folder)).toBe('the program of the package node is missing')
  })

  it('imports nothing that must be installed first', () => {
    const imports = [...readFileSync(join(root, 'scripts/ensure-installed.js'), 'utf8').matchAll(/from '([^']+)'/g)].map(
      (match) => match[1],
    )
    expect(imports.length).toBeGreaterThan(0)
    expect(imports.filter((specifier) => !specifier?.startsWith('node:'))).toEqual([])
  })
})
