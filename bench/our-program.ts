import { join } from 'node:path'
import { root } from '../scripts/peers/locations.ts'
import { programPath } from './build.ts'
import { measure, type OtherWork } from './measure.ts'

/**
 * Runs a built program as a service of its own would run it (docs/guide/every-night.md): a young generation that stays small holds less memory for the same work, and fits
 * the cache of the processor; code that was compiled once is not compiled again. The folder goes with every build, so the first round compiles.
 */
export function measureOurs(name: string, words: readonly string[], other?: OtherWork): ReturnType<typeof measure> {
  const environment = { NODE_COMPILE_CACHE: join(root, 'bench/dist/compile-cache') }
  return measure(process.execPath, ['--max-semi-space-size=2', programPath(name), ...words], { environment, ...(other && { other }) })
}
