// The process that is killed or frozen: `node child.ts <folder> <case> <folder of the compile cache>`.
import { enableCompileCache } from 'node:module'

const [folder = '', name = '', cache] = process.argv.slice(2)
enableCompileCache(cache) // a child is started thousands of times
const { perform } = await import('./perform.ts')
await perform(folder, name)
