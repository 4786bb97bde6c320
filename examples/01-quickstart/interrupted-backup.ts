// Run by main.ts as a process of its own: begins a backup and kills itself while bytes are on their way. No handler runs, nothing is closed.
import { openEngine, type QuickstartSetup, subjectOf } from './setup.ts'

const setup = JSON.parse(process.argv[2] ?? '') as QuickstartSetup
const subject = subjectOf(setup)
// Held back, so that there is a middle to be killed in.
const engine = await openEngine(setup, subject, { bytesPerSecond: 40 << 20 })
await engine.start()
for await (const { bytes } of engine.runPlan('nightly').progress()) {
  if (bytes < subject.killAfterBytes) continue
  process.stdout.write(String(bytes))
  process.kill(process.pid, 'SIGKILL')
}
