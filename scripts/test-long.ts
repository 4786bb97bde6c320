// npm run test:long: the same tests with their full numbers of seeds and cases, which take hours. Arguments go to vitest.
import { spawnSync } from 'node:child_process'
import { root } from './peers/locations.ts'

const { status } = spawnSync('node_modules/.bin/vitest', ['run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, HOLDFAST_LONG: '1' },
})
process.exitCode = status ?? 1
