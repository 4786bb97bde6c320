// The process that is killed while it works on a real Docker engine: `node docker-child.ts <world as JSON> <operation> <folder of the compile cache>`.
import { enableCompileCache } from 'node:module'
import type { DockerOperation } from './docker-world.ts'

const [world = '', operation, cache] = process.argv.slice(2)
enableCompileCache(cache)
const { performOnDocker } = await import('./docker-world.ts')
await performOnDocker(JSON.parse(world), operation as DockerOperation)
