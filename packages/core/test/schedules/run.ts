import { parseArgs } from 'node:util'
import { simulate } from './simulate.ts'

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    first: { type: 'string', default: '1' },
    seed: { type: 'string' },
    steps: { type: 'string' },
    trace: { type: 'boolean', default: false },
    'keep-going': { type: 'boolean', default: false },
  },
})
const steps = values.steps === undefined ? {} : { steps: Number(values.steps) }
if (values.seed !== undefined) {
  const outcome = await simulate(Number(values.seed), { ...steps, ...(values.trace && { trace: (text: string) => console.log(text) }) })
  console.log(outcome.violation ? `seed ${outcome.seed}: VIOLATION ${outcome.violation}` : `seed ${outcome.seed}: no violation`, [
    ...outcome.coverage,
  ])
  process.exitCode = outcome.violation ? 1 : 0
} else {
  const coverage = new Map<string, number>()
  const start = performance.now()
  const first = Number(values.first)
  let found = 0
  for (let seed = first; seed < first + Number(values.count); seed++) {
    const outcome = await simulate(seed, steps)
    for (const name of outcome.coverage) coverage.set(name, (coverage.get(name) ?? 0) + 1)
    if (!outcome.violation) continue
    found++
    console.log(`seed ${seed}: ${outcome.violation}`)
    if (!values['keep-going']) break
  }
  const seconds = (performance.now() - start) / 1000
  console.log(`${values.count} schedules from seed ${first}, ${found} violations, ${seconds.toFixed(1)} s`)
  console.log(
    [...coverage]
      .sort()
      .map(([name, count]) => `  ${name}: ${count}`)
      .join('\n'),
  )
  process.exitCode = found > 0 ? 1 : 0
}
