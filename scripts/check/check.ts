// npm run check: everything that can be said about the code without running its tests. Each step runs also when one before it failed.
import { spawnSync } from 'node:child_process'
import { root } from '../peers/locations.ts'

const script = (path: string, ...rest: string[]) => [process.execPath, '--conditions=@holdfast/source', path, ...rest]
const steps: [string, string[]][] = [
  ['types', ['node_modules/.bin/tsc', '--noEmit', '-p', 'tsconfig.json']],
  [
    'lint, format, arrows, sizes',
    ['node_modules/.bin/biome', 'check', '--error-on-warnings', '--diagnostic-level=warn', '--max-diagnostics=60', '.'],
  ],
  ['no ambient time, randomness, environment', script('scripts/check/check-ambient.ts')],
  ['lists of exports', script('scripts/check/export-lists.ts')],
  ['generated pages', script('scripts/docs/generate.ts', '--check')],
]

let failed = 0
for (const [name, [program = '', ...rest]] of steps) {
  const begin = process.hrtime.bigint()
  const { status, stdout, stderr } = spawnSync(program, rest, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  const seconds = (Number(process.hrtime.bigint() - begin) / 1e9).toFixed(1)
  process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`)
  if (status === 0) continue
  failed += 1
  process.stdout.write(`${stdout}${stderr}\n`)
}
process.stdout.write(failed === 0 ? 'check: all ok\n' : `check: ${failed} of ${steps.length} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
