import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../peers/locations.ts'

const importOf = (specifier: string) => `import { x } from '${specifier}'\nexport const y = x\n`
const linesIn = (count: number) => Array.from({ length: count }, (_, index) => `export const name${index} = ${index}\n`).join('')
const functionOf = (count: number) => `export function long() {\n${'  globalThis.call()\n'.repeat(count)}}\n`

const arrow = 'lint/style/noRestrictedImports'
/** [file, its text, the rule that must refuse it]. */
const refused: [string, string, string][] = [
  ['packages/disk-image/src/a.ts', importOf('@holdfast/core/spec'), arrow],
  ['packages/provider-docker/src/a.ts', importOf('@holdfast/core'), arrow],
  ['packages/provider-docker/src/b.ts', importOf('@holdfast/testkit'), arrow],
  ['packages/provider-docker/src/c.ts', importOf('../../../core/src/index.ts'), arrow],
  ['packages/monitor/src/a.ts', importOf('@holdfast/core'), arrow],
  ['packages/notifier-email/src/a.ts', importOf('@holdfast/core'), arrow],
  ['packages/cli/src/a.ts', importOf('@holdfast/store-sqlite'), arrow],
  ['packages/cli/src/b.ts', importOf('../../../core/src/index.ts'), arrow],
  ['packages/testkit/src/a.ts', importOf('@holdfast/core'), arrow],
  ['packages/store-sqlite/src/a.ts', importOf('@holdfast/core'), arrow],
  ['packages/store-sql/src/a.ts', importOf('@holdfast/store-sqlite'), arrow],
  ['packages/core/src/engine/a.ts', importOf('@holdfast/provider-docker'), arrow],
  ['packages/core/src/b.ts', importOf('@holdfast/testkit'), arrow],
  ['packages/core/src/transfer/a.ts', importOf('../engine/create-engine.ts'), arrow],
  ['packages/core/src/repository/a.ts', importOf('../index.ts'), arrow],
  ['packages/core/src/model/a.ts', importOf('../transfer/sink.ts'), arrow],
  ['packages/core/src/spec/a.ts', importOf('zod'), arrow],
  ['packages/core/src/spec/b.ts', importOf('../model/manifest.ts'), arrow],
  ['packages/core/src/spec/helpers/a.ts', importOf('../../model/manifest.ts'), arrow],
  ['packages/core/src/c.ts', "console.log('x')\n", 'lint/suspicious/noConsole'],
  ['packages/core/src/d.ts', 'export const home = process.env.HOME\n', 'lint/style/noProcessEnv'],
  ['packages/core/src/e.ts', 'export const x: any = 1\n', 'lint/suspicious/noExplicitAny'],
  ['packages/core/src/f.ts', 'export enum Kind {\n  a,\n}\n', 'lint/style/noEnum'],
  ['packages/core/src/g.ts', linesIn(401), 'lint/style/noExcessiveLinesPerFile'],
  ['packages/core/src/h.ts', functionOf(51), 'lint/complexity/noExcessiveLinesPerFunction'],
  ['packages/core/src/fooBar.ts', 'export const x = 1\n', 'lint/style/useFilenamingConvention'],
  ['packages/core/src/i.test.ts', "describe.only('x', () => {})\n", 'lint/suspicious/noFocusedTests'],
  ['packages/core/src/j.test.ts', "it.skip('x', () => {})\n", 'lint/suspicious/noSkippedTests'],
]

const accepted: [string, string][] = [
  ['packages/disk-image/src/ok.ts', importOf('node:fs')],
  ['packages/provider-docker/src/ok.ts', importOf('@holdfast/core/spec')],
  ['packages/testkit/src/ok.ts', importOf('@holdfast/disk-image')],
  ['packages/store-sqlite/src/ok.ts', importOf('@holdfast/store-sql')],
  ['packages/core/src/engine/ok.ts', importOf('../transfer/sink.ts')],
  ['packages/core/src/transfer/ok.ts', importOf('../spec/index.ts')],
  ['packages/core/src/spec/ok.ts', importOf('@holdfast/disk-image')],
  ['packages/core/src/spec/helpers/ok.ts', importOf('../errors.ts')],
  ['packages/core/src/ok.test.ts', importOf('@holdfast/testkit')],
  ['packages/core/src/long.test.ts', functionOf(51)],
  ['packages/core/src/ok.ts', linesIn(400)],
  ['packages/core/src/ok-function.ts', functionOf(48)],
  ['scripts/ok.ts', "console.log('x')\n"],
]

interface Report {
  diagnostics: { category: string; location: { path: string } }[]
}

/** What biome found, or in words why it found nothing. */
function reportOf({ stdout, stderr, error }: { stdout: string | null; stderr: string | null; error?: Error }): Report | string {
  try {
    return JSON.parse(stdout ?? '')
  } catch {
    return `biome gave no report: ${error?.message ?? ''}${stderr ?? ''}${stdout ?? ''}`
  }
}

describe('the lint rules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-lint-'))
  const found = new Map<string, string[]>()
  // What biome says when it cannot run at all. Thrown by each test: a hook that throws would only have them all skipped.
  let broken = 'biome has not run'
  const rulesIn = (path: string): readonly string[] => {
    if (broken !== '') throw new Error(broken)
    return found.get(path) ?? []
  }

  beforeAll(() => {
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
    for (const [path, text] of [...refused, ...accepted]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const biome = join(root, 'node_modules/.bin/biome')
    const run = spawnSync(biome, ['lint', '--reporter=json', '--max-diagnostics=none', '.'], { cwd: folder, encoding: 'utf8' })
    const report = reportOf(run)
    broken = typeof report === 'string' ? report : ''
    if (typeof report === 'string') return
    for (const { category, location } of report.diagnostics) found.set(location.path, [...(found.get(location.path) ?? []), category])
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it.each(refused)('refuse %s', (path, _text, rule) => {
    expect(rulesIn(path)).toContain(rule)
  })

  it.each(accepted)('accept %s', (path) => {
    expect(rulesIn(path)).toEqual([])
  })
})

it('a biome that cannot run is shown in its own words', () => {
  expect(reportOf({ stdout: '', stderr: 'no such configuration' })).toBe('biome gave no report: no such configuration')
  expect(reportOf(spawnSync(join(root, 'no-such-biome'), { encoding: 'utf8' }))).toContain('ENOENT')
})
