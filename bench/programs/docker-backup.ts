// node docker-backup.js SOCKET VOLUME FOLDER: backs the volume up into a new repository in the folder.
import { docker } from '@holdfast/provider-docker'
import { openEngine } from './open-engine.ts'

const [socketPath = '', volume = '', folder = ''] = process.argv.slice(2)
const engine = await openEngine(folder, docker({ socketPath }), volume)
await engine.start()
await engine.runPlan('once')
await engine.stop()
