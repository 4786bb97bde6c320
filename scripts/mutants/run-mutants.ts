// Removes one ordering rule after the other from a copy of the source and looks for a schedule that notices.
// node --conditions=@holdfast/source scripts/mutants/run-mutants.ts [--count N] [--first SEED] [--rule a,b] [--jobs N]
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Mutant } from './mutant.ts'
import { mutants } from './rules.ts'
import { copySources, type SourceCopy } from './source-copy.ts'

export interface Caught {
  readonly rule: string
  /** The seed, or that it was the schedule built for this rule. Absent: no schedule noticed. */
  readonly by?: string
  readonly text: string
}

/** Runs seeds on the mutated copy until one is a violation. */
async function runMutant(copy: SourceCopy, mutant: Mutant, first: number, count: number): Promise<Caught> {
  const undo = copy.apply(mutant.edits)
  try {
    const script = join(copy.folder, 'packages/core/test/schedules/run.ts')
    const start = ['--conditions=@holdfast/source', script]
    if (mutant.named) {
      const output = await nodeOutput([...start, '--named', mutant.rule])
      const [, text] = /^named \S+: (.*)$/m.exec(output) ?? []
      if (text === undefined) throw new Error(`${mutant.rule}: the schedule built for it did not run:\n${output.slice(-2000)}`)
      return text === 'no violation' ? { rule: mutant.rule, text } : { rule: mutant.rule, by: 'built for it', text }
    }
    const output = await nodeOutput([...start, '--count', String(count), '--first', String(first)])
    const [, seed, text] = /^seed (\d+): (.*)$/m.exec(output) ?? []
    if (seed !== undefined && text !== undefined) return { rule: mutant.rule, by: `seed ${seed}`, text }
    if (!output.includes('0 violations')) throw new Error(`${mutant.rule}: the schedules did not run:\n${output.slice(-2000)}`)
    return { rule: mutant.rule, text: `no violation in ${count} schedules` }
  } finally {
    undo()
  }
}

function nodeOutput(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', () => resolve(output))
  })
}

export interface MutantOptions {
  readonly chosen: readonly Mutant[]
  readonly count: number
  readonly first: number
  readonly jobs: number
  report(caught: Caught): void
}

export async function runMutants({ chosen, count, first, jobs, report }: MutantOptions): Promise<readonly Caught[]> {
  const waiting = [...chosen]
  const results: Caught[] = []
  const work = async () => {
    const copy = copySources()
    try {
      for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
        const caught = await runMutant(copy, mutant, first, count)
        results.push(caught)
        report(caught)
      }
    } finally {
      copy.remove()
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  return results
}

export function lineOf({ rule, by, text }: Caught): string {
  return `without ${rule.padEnd(18)} ${by === undefined ? text : `${by}: ${text}`}`
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '2000' },
      first: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      rule: { type: 'string' },
    },
  })
  const wanted = values.rule?.split(',')
  const chosen = mutants.filter(({ rule }) => wanted === undefined || wanted.includes(rule))
  const results = await runMutants({
    chosen,
    count: Number(values.count),
    first: Number(values.first),
    jobs: Number(values.jobs),
    report: (caught) => console.log(lineOf(caught)),
  })
  const missed = results.filter(({ by }) => by === undefined)
  console.log(`${results.length} rules removed one by one, ${results.length - missed.length} noticed`)
  process.exitCode = missed.length > 0 ? 1 : 0
}
