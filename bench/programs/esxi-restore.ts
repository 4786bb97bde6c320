// node esxi-restore.js HOST MACHINE FOLDER NAME: restores the newest point of the machine as a new machine NAME. HOST: the options of `esxi()` as JSON.
import { esxi } from '@holdfast/provider-esxi'
import { openEngine } from './open-engine.ts'

const [host = '', machine = '', folder = '', name = ''] = process.argv.slice(2)
const engine = await openEngine(folder, esxi(JSON.parse(host)), machine)
await engine.start()
await engine.restore({ provider: 'source', id: machine }, { name })
await engine.stop()
