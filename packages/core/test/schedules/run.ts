// node --conditions=@holdfast/source packages/core/test/schedules/run.ts --count N --first SEED [--keep-going] [--json]
// node --conditions=@holdfast/source packages/core/test/schedules/run.ts --seed S [--trace]
// node --conditions=@holdfast/source packages/core/test/schedules/run.ts --named RULE [--trace]
import { parseArgs } from 'node:util'
import { named } from './named.ts'
import { simulate } from './simulate.ts'

/** What a number of schedules came to. */
export interface Summary {
  readonly found: readonly { readonly seed: number; readonly violation: string }[]
  /** In how many schedules each thing happened. */
  readonly coverage: { readonly [name: string]: number }
}

async function runMany(first: number, count: number, keepGoing: boolean): Promise<Summary> {
  const coverage: { [name: string]: number } = {}
  const found: { seed: number; violation: string }[] = []
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulate(seed)
    for (const name of outcome.coverage) coverage[name] = (coverage[name] ?? 0) + 1
    if (outcome.violation === undefined) continue
    found.push({ seed, violation: outcome.violation })
    if (!keepGoing) break
  }
  return { found, coverage }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      first: { type: 'string', default: '1' },
      seed: { type: 'string' },
      named: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      'keep-going': { type: 'boolean', default: false },
    },
  })
  // Errors are expected by the thousand here, and their stacks cost more than the schedules.
  if (!values.trace) Error.stackTraceLimit = 0
  if (values.seed !== undefined) {
    const outcome = await simulate(Number(values.seed), values.trace ? { trace: (text) => console.log(text) } : {})
    console.log(`seed ${outcome.seed}: ${outcome.violation ?? 'no violation'}`)
    process.exitCode = outcome.violation === undefined ? 0 : 1
    return
  }
  if (values.named !== undefined) {
    const violation = await named[values.named]?.(values.trace ? (text) => console.log(text) : undefined)
    console.log(`named ${values.named}: ${violation ?? 'no violation'}`)
    process.exitCode = violation === undefined ? 0 : 1
    return
  }
  const start = performance.now()
  const summary = await runMany(Number(values.first), Number(values.count), values['keep-going'])
  const { found, coverage } = summary
  process.exitCode = found.length > 0 ? 1 : 0
  if (values.json) return console.log(JSON.stringify(summary))
  for (const { seed, violation } of found) console.log(`seed ${seed}: ${violation}`)
  const seconds = (performance.now() - start) / 1000
  console.log(`${values.count} schedules from seed ${values.first}, ${found.length} violations, ${seconds.toFixed(1)} s`)
  for (const [name, times] of Object.entries(coverage).sort()) console.log(`  ${name}: ${times}`)
}

if (process.argv[1] === import.meta.filename) await main()
