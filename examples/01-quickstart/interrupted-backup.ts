// Run by main.ts as a process of its own: begins a backup and kills itself while bytes are on their way. No handler runs, nothing is closed.
import { openEngine, type QuickstartSetup, subjectOf } from './setup.ts'

const setup = JSON.parse(process.argv[2] ?? '') as QuickstartSetup
// Held back to 8 MiB a second, so that there is a middle to be killed in.
const engine = await openEngine(setup, subjectOf(setup), { bytesPerSecond: 8 << 20 })
await engine.start()
for await (const step of engine.runPlan('nightly').progress()) {
  if (step.bytes === 0) continue
  process.stdout.write(String(step.bytes))
  process.kill(process.pid, 'SIGKILL')
}
