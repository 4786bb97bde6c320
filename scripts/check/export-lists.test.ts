import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { entriesOf, exportList } from './export-lists.ts'
import { difference } from './generated-files.ts'

describe('the list of exports', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-exports-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const listOf = (text: string) => {
    const path = join(folder, 'index.ts')
    writeFileSync(join(folder, 'other.ts'), 'export class Other {}\nexport const hidden = 1\n')
    writeFileSync(path, text)
    return exportList(
      ts.createProgram([path], { module: ts.ModuleKind.NodeNext, allowImportingTsExtensions: true, noEmit: true }),
      new Map([['x', path]]),
    )
  }

  it('names each export with its kind, sorted, also those of other files', () => {
    const text = `export { Other as Renamed } from './other.ts'\nexport function b() {}\nexport interface A {}\nexport const c = 1\n`
    expect(listOf(text)).toBe('# x\ntype A\nclass Renamed\nfunction b\nconst c\n')
  })

  it('changes when an export is added, and the difference shows it', () => {
    const [before, after] = [listOf('export const a = 1\n'), listOf("export const a = 1\nexport * from './other.ts'\n")]
    expect(difference(before, after)).toBe('+ class Other\n+ const hidden')
  })

  it('covers every entry point of a package', () => {
    expect([...entriesOf('core').keys()]).toEqual([
      '@holdfast/core',
      '@holdfast/core/json-schema',
      '@holdfast/core/offline',
      '@holdfast/core/spec',
    ])
  })
})
