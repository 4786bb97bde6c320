// node --conditions=@holdfast/source examples/every-night/run-plans.ts [FOLDER [SOCKET]]
// Runs the plans beside this file until it is stopped.
// #region main
import { hostname } from 'node:os'
import { consoleNotifier, createEngine, localRepository } from '@holdfast/core'
import { docker } from '@holdfast/provider-docker'
import { sqlite } from '@holdfast/store-sqlite'
import { plans } from './plans.ts'

const [folder = '/srv/backup', socketPath = '/var/run/docker.sock'] = process.argv.slice(2)

const engine = await createEngine({
  name: 'shop-backup',
  hostName: hostname(),
  store: sqlite({ file: `${folder}/catalog.db` }),
  repositories: { main: localRepository({ folder: `${folder}/points` }) },
  providers: { docker: docker({ socketPath }) },
  notifiers: { log: consoleNotifier({ write: console.log }) },
  plans,
})
engine.on('warning', ({ code, message }) => console.log(`${code}: ${message}`))

// What runs is asked to stop and goes on at the next start. It costs the run no failure.
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void engine.stop())

await engine.start()
const [next] = await engine.previewRuns({ until: new Date(Date.now() + 24 * 3_600_000).toISOString() })
console.log(next ? `started; next is ${next.plan} at ${next.due}` : 'started; nothing is due in the next 24 hours')
// #endregion main
