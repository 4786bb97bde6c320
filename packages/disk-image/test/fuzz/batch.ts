// node --conditions=@holdfast/source packages/disk-image/test/fuzz/batch.ts CORPUS-FOLDER FIRST-SEED COUNT [BROKEN-READER]
// Tries mutants in this process. Each line of the output is a seed, written before its image is tried, and after it what went wrong; the last line says the rest.
import { writeSync } from 'node:fs'
import { brokenReaders, isBrokenReader } from './broken-readers.ts'
import { mutantsOf } from './mutant.ts'
import { type Outcome, tryImage } from './try-image.ts'

/** What a child says at its end. */
export interface BatchResult {
  readonly outcomes: { readonly [of: string]: number }
  /** How far the memory of the process rose above its start. */
  readonly peakBytes: number
  /** The most processor time that one image took. */
  readonly slowestMs: number
}

const [folder = '', first = '0', count = '0', broken = ''] = process.argv.slice(2)
const mostMs = 1000
const say = (line: string) => writeSync(1, `${line}\n`)
const peakOfProcess = () => process.resourceUsage().maxRSS * 1024

const mutantAt = await mutantsOf(folder)
const attempt = isBrokenReader(broken) ? brokenReaders[broken] : tryImage
const outcomes: { [of: string]: number } = {}
const start = peakOfProcess()
let slowestMs = 0
for (let seed = Number(first); seed < Number(first) + Number(count); seed += 1) {
  say(String(seed))
  const { name, format, file } = mutantAt(seed)
  const before = process.cpuUsage()
  let outcome: Outcome | undefined
  try {
    outcome = await attempt(format, file)
  } catch (error) {
    say(`${seed} ${JSON.stringify(error instanceof Error ? (error.stack ?? error.message) : String(error))}`)
  }
  const { user, system } = process.cpuUsage(before)
  const spent = (user + system) / 1000
  slowestMs = Math.max(slowestMs, spent)
  if (spent > mostMs) say(`${seed} ${JSON.stringify(`took ${Math.round(spent)} ms of processor time`)}`)
  const key = `${name}: ${outcome ?? 'failed'}`
  outcomes[key] = (outcomes[key] ?? 0) + 1
}
const result: BatchResult = { outcomes, peakBytes: peakOfProcess() - start, slowestMs }
say(JSON.stringify(result))
