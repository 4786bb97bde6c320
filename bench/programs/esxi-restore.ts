// node esxi-restore.js HOST MACHINE FOLDER NAME...: restores the newest point of the machine as a new machine, once for each name. HOST: the options of `esxi()` as JSON.
import { esxi } from '@holdfast/provider-esxi'
import { openEngine } from './open-engine.ts'
import { tellRuns } from './time-spent.ts'

const [host = '', machine = '', folder = '', ...names] = process.argv.slice(2)
const engine = await openEngine(folder, esxi(JSON.parse(host)), machine)
await engine.start()
await tellRuns(async () => {
  for (const name of names) await engine.restore({ provider: 'source', id: machine }, { name })
})
await engine.stop()
