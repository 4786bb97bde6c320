// node docker-restore.js SOCKET VOLUME FOLDER NAME: restores the newest point of the volume into a new volume NAME.
import { docker } from '@holdfast/provider-docker'
import { openEngine } from './open-engine.ts'

const [socketPath = '', volume = '', folder = '', name = ''] = process.argv.slice(2)
const engine = await openEngine(folder, docker({ socketPath }), volume)
await engine.start()
await engine.restore({ provider: 'source', id: volume }, { name })
await engine.stop()
