// node esxi-backup.js HOST MACHINE FOLDER full|chain TIMES: backs the machine up into the repository in the folder, so often. HOST: the options of `esxi()` as JSON. With `full`
// no increments are planned, so no sums of clusters are made.
import { esxi } from '@holdfast/provider-esxi'
import { openEngine } from './open-engine.ts'
import { tellRuns } from './time-spent.ts'

const [host = '', machine = '', folder = '', kind = '', times = '1'] = process.argv.slice(2)
const plan = kind === 'full' ? { chain: { maxIncrementals: 0 } } : {}
const engine = await openEngine(folder, esxi(JSON.parse(host)), machine, plan)
await engine.start()
await tellRuns(async () => {
  for (let time = 0; time < Number(times); time += 1) await engine.runPlan('once')
})
await engine.stop()
