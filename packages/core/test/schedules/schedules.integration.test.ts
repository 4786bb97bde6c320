import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { named } from './named.ts'
import type { Summary } from './run.ts'

const long = process.env.HOLDFAST_LONG === '1'
const count = long ? 100_000 : 300
const processes = 2
const hourMs = 3_600_000

/** What the schedules must reach, or they prove nothing. */
const reached = [
  'answer of the store lost',
  'backup succeeded',
  'clock jumped',
  'commit adopted',
  'commit found by probe',
  'database lost',
  'database rolled back',
  'disk full',
  'due backup succeeded',
  'due prune succeeded',
  'due run skipped',
  'due time claimed by another',
  'due time missed',
  'foreign engine',
  'frozen',
  'hold acknowledged',
  'late put arrives',
  'late put refused',
  'not mounted',
  'notification refused',
  'notification sent twice',
  'pin acknowledged',
  'points condemned',
  'points condemned by retention',
  'power loss with unsynced writes',
  'prune deletes',
  'rescan succeeded',
  'restore succeeded',
  'stale write refused',
  'taken over',
  'takeover or retry',
  'verify succeeded',
]

function runSchedules(first: number, many: number): Promise<Summary> {
  const script = fileURLToPath(new URL('run.ts', import.meta.url))
  const args = ['--conditions=@holdfast/source', script, '--json', '--keep-going', '--first', String(first), '--count', String(many)]
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    child.on('error', reject)
    child.on('close', (code) => {
      try {
        resolve(JSON.parse(output.slice(output.lastIndexOf('\n', output.length - 2) + 1)) as Summary)
      } catch (cause) {
        reject(new Error(`schedules from seed ${first}: ended with ${code}: ${output.slice(-2000)}`, { cause }))
      }
    })
  })
}

test(`${count} seeded schedules with every fault keep every promise`, { timeout: long ? 6 * hourMs : hourMs / 3 }, async () => {
  const each = Math.ceil(count / processes)
  const parts = await Promise.all(Array.from({ length: processes }, (_, index) => runSchedules(1 + index * each, each)))
  const coverage = new Map<string, number>()
  for (const part of parts) for (const [name, times] of Object.entries(part.coverage)) coverage.set(name, (coverage.get(name) ?? 0) + times)
  const lines = [...coverage].sort().map(([name, times]) => `  ${name}: ${times}`)
  console.log(`seeds 1 to ${each * processes}; schedules in which this happened:\n${lines.join('\n')}`)
  const found = parts.flatMap((part) => part.found)
  expect(
    found.map(
      ({ seed, violation }) => `node --conditions=@holdfast/source packages/core/test/schedules/run.ts --seed ${seed}: ${violation}`,
    ),
  ).toEqual([])
  expect(reached.filter((name) => !coverage.get(name))).toEqual([])
})

for (const [rule, schedule] of Object.entries(named)) {
  test(`the schedule built for the rule ${rule} keeps every promise`, async () => {
    expect(await schedule()).toBeUndefined()
  })
}
