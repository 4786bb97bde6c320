// Exports a machine whole and by its changes, imports both, and prints the largest resident size of this process in bytes after each step:
// `node memory-child.ts <login as JSON> <id of the machine> <folder>`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createEngine, localRepository } from '@holdfast/core'
import { sqlite } from '@holdfast/store-sqlite'
import { esxi } from '../../src/index.ts'

const [login = '', id = '', folder = ''] = process.argv.slice(2)
const workload = { provider: 'lab', id }
/** Of this program alone: what `resourceUsage` tells begins with the size of the process that started it. */
const largest = () => Number(/VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024

const engine = await createEngine({
  name: 'child',
  store: sqlite({ file: join(folder, 'catalog.db') }),
  repositories: { main: localRepository({ folder: join(folder, 'repository') }) },
  providers: { lab: esxi(JSON.parse(login)) },
  plans: { nightly: { kind: 'backup', repository: 'main', workloads: [workload] } },
})
await engine.start()
const sizes: { [step: string]: number } = { begun: largest() }
const [full] = await engine.runPlan('nightly')
sizes.exported = largest()
const [increment] = await engine.runPlan('nightly')
sizes.exportedChanges = largest()
await engine.restore(workload, { point: full?.point ?? '', name: 'full' })
sizes.imported = largest()
await engine.restore(workload, { point: increment?.point ?? '', name: 'chain' })
sizes.importedChain = largest()
await engine.stop()
process.stdout.write(JSON.stringify({ sizes, stored: [full?.bytes.stored, increment?.bytes.stored] }))
