// Fails when a library reads time, randomness or the environment by itself: it takes a Clock, Ids or an option instead.
import { readFileSync } from 'node:fs'
import { ambientMarker, findAmbient } from './ambient.ts'
import { sourceFiles } from './source-files.ts'

/** The only two files of the libraries that may. */
const allowed = new Set(['packages/core/src/clock.ts', 'packages/core/src/ids.ts'])

let count = 0
for (const path of sourceFiles()) {
  const text = readFileSync(path, 'utf8')
  const marked = /^packages\/(testkit|cli)\/src\//.test(path) && ambientMarker.test(text)
  if (allowed.has(path) || marked) continue
  for (const { line, what } of findAmbient(path, text)) {
    count += 1
    process.stdout.write(`${path}:${line} ${what}: take a Clock, Ids or an option\n`)
  }
}
if (count > 0) process.exitCode = 1
