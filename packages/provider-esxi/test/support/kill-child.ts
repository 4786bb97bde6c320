// The process that is killed while it works on a simulated host: `node kill-child.ts <world as JSON> <operation> <folder of the compile cache>`.
import { enableCompileCache } from 'node:module'
import type { KilledOperation } from './kill-world.ts'

const [world = '', operation, cache] = process.argv.slice(2)
enableCompileCache(cache)
const { performOnHost } = await import('./kill-world.ts')
await performOnHost(JSON.parse(world), operation as KilledOperation)
