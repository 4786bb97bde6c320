import { spawn } from 'node:child_process'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { BatchResult } from './batch.ts'
import type { BrokenReader } from './broken-readers.ts'
import { mutantsOf } from './mutant.ts'

/** An image that a reader did not take as it must. */
export interface Failure {
  readonly seed: number
  readonly why: string
}

export interface FuzzOptions {
  /** Where `makeCorpus` put the images. */
  readonly folder: string
  readonly first: number
  readonly count: number
  /** Children at once. */
  readonly children: number
  /** Images of one child. */
  readonly batch?: number
  /** A child that says nothing for so long hangs. */
  readonly patienceMs?: number
  readonly broken?: BrokenReader
}

export interface FuzzResult {
  readonly tried: number
  readonly outcomes: ReadonlyMap<string, number>
  readonly failures: readonly Failure[]
  readonly peakBytes: number
  readonly slowestMs: number
}

const script = fileURLToPath(new URL('batch.ts', import.meta.url))
const mostBytes = 128 * 1024 * 1024
const mostFailures = 20

interface BatchReport {
  readonly failures: readonly Failure[]
  readonly result?: BatchResult
  /** The seed it was at when it ended before its time. */
  readonly stoppedAt?: number
}

/** Runs one child to its end, or kills it when it says nothing any more. */
async function runChild(options: FuzzOptions, first: number, count: number): Promise<BatchReport> {
  const args = ['--conditions=@holdfast/source', script, options.folder, String(first), String(count), options.broken ?? '']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const failures: Failure[] = []
  let seed: number | undefined
  let result: BatchResult | undefined
  let hung = false
  const watch = setTimeout(() => {
    hung = true
    child.kill('SIGKILL')
  }, options.patienceMs ?? 20_000)
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  for await (const line of createInterface({ input: child.stdout })) {
    watch.refresh()
    const [, of, why] = /^(\d+)(?: (".*"))?$/.exec(line) ?? []
    if (of === undefined) result = JSON.parse(line)
    else if (why !== undefined) failures.push({ seed: Number(of), why: JSON.parse(why) })
    else seed = Number(of)
  }
  const how = await ended
  clearTimeout(watch)
  if (result !== undefined && how === 'exit code 0') {
    if (result.peakBytes > mostBytes)
      failures.push({ seed: first, why: `this and the ${count - 1} after it took ${result.peakBytes} bytes` })
    return { failures, result }
  }
  if (seed === undefined) throw new Error(`a child ended before its first image: ${how}`)
  failures.push({ seed, why: hung ? 'hangs' : `ended the process: ${how}` })
  return { failures, stoppedAt: seed }
}

/** Tries mutants in child processes, and what is left of a batch after one that ended its child. Every failing image is written to a file. */
export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const batch = options.batch ?? 1000
  const end = options.first + options.count
  const outcomes = new Map<string, number>()
  const failures: Failure[] = []
  let [next, tried, peakBytes, slowestMs] = [options.first, 0, 0, 0]
  const work = async () => {
    while (next < end && failures.length < mostFailures) {
      let first = next
      const stop = Math.min(end, first + batch)
      next = stop
      while (first < stop && failures.length < mostFailures) {
        const report = await runChild(options, first, stop - first)
        failures.push(...report.failures)
        const done = report.stoppedAt === undefined ? stop : report.stoppedAt + 1
        tried += done - first
        first = done
        for (const [key, count] of Object.entries(report.result?.outcomes ?? {})) outcomes.set(key, (outcomes.get(key) ?? 0) + count)
        peakBytes = Math.max(peakBytes, report.result?.peakBytes ?? 0)
        slowestMs = Math.max(slowestMs, report.result?.slowestMs ?? 0)
      }
    }
  }
  await Promise.all(Array.from({ length: options.children }, work))
  return { tried, outcomes, failures, peakBytes, slowestMs }
}

/** Writes the images of failures to files that stay. Returns a line for each: the seed, the file, what went wrong. */
export async function keepFailures(folder: string, failures: readonly Failure[]): Promise<readonly string[]> {
  if (failures.length === 0) return []
  const mutantAt = await mutantsOf(folder)
  const kept = await mkdtemp(join(tmpdir(), 'holdfast-fuzz-failures-'))
  const lines: string[] = []
  for (const { seed, why } of failures) {
    const { name, file } = mutantAt(seed)
    const path = join(kept, `${name}-${seed}.img`)
    await writeFile(path, file)
    lines.push(`seed ${seed}, ${path}: ${why}`)
  }
  return lines
}
