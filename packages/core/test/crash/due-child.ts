// One of several processes that share a catalog: works off whatever is due until it is told to stop, by a clock that is wrong by so many milliseconds.
import { enableCompileCache } from 'node:module'

const [folder = '', name = '', skewMs = '0', compiled = ''] = process.argv.slice(2)
enableCompileCache(compiled)
const { workOffDue } = await import('../processes/work-off-due.ts')
await workOffDue(folder, name, Number(skewMs))
