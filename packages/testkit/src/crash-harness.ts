// ambient: the crash harness runs real processes in a temporary folder and waits in real time.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environmentOfChild } from './crash-child.ts'
import { withinTime } from './within-time.ts'

/** How a child ended, and the points it reached, in order. */
export interface ChildResult {
  /** Undefined: ended by a signal. */
  readonly exitCode?: number
  readonly signal?: NodeJS.Signals
  readonly points: readonly string[]
  readonly output: string
}
/** A child that stands still at a point, as a frozen machine does. Dispose kills it. */
export interface StoppedChild extends AsyncDisposable {
  readonly processId: number
  /** The points it had reached when it stopped. What else was under way may have reached some after the point. */
  readonly points: readonly string[]
  /** Lets it go on (SIGCONT) and gives its end. */
  resume(): Promise<ChildResult>
}
/**
 * Child processes that die or stand still at a point of their own choosing. Every child gets a fresh temporary folder for its list of points, which is
 * removed when it ends; what it works on is up to the script. A child that takes too long is killed, and the call rejects.
 */
export interface CrashHarness {
  /** Runs the script to its end and gives every point it reached. Rejects with its output when it fails. */
  recordPoints(script: string, args?: readonly string[]): Promise<readonly string[]>
  /** Runs the script until the point and lets it kill itself there. `signal` is not SIGKILL when the point was never reached. */
  runKilledAt(script: string, args: readonly string[], point: string): Promise<ChildResult>
  /** Runs the script until it stopped itself at the point. Rejects when it ends without having reached it. */
  runStoppedAt(script: string, args: readonly string[], point: string): Promise<StoppedChild>
}

/**
 * Runs a module as a child process that dies or stands still at exactly one call. The module wraps its contract objects by `observeCalls`
 * with `crashChildHook()`; kill points are those that a first run recorded. `limitMs`: how long one child may take (default 60,000).
 */
export function crashHarness({
  limitMs = 60_000,
  nodeArguments = ['--conditions=@holdfast/source'],
}: {
  readonly limitMs?: number
  readonly nodeArguments?: readonly string[]
} = {}): CrashHarness {
  const start = (script: string, args: readonly string[], orders: { killAt?: string; stopAt?: string }) =>
    startChild([...nodeArguments, script, ...args], orders, limitMs)
  return {
    async recordPoints(script, args = []) {
      const result = await (await start(script, args, {})).ended
      if (result.exitCode !== 0) throw new Error(`${script} failed: ${describeEnd(result)}`)
      return result.points
    },
    runKilledAt: async (script, args, killAt) => (await start(script, args, { killAt })).ended,
    async runStoppedAt(script, args, stopAt) {
      const { child, ended, points } = await start(script, args, { stopAt })
      let done: ChildResult | undefined
      const end = ended.then((result) => {
        done = result
      })
      while (done === undefined && !((await isStopped(child)) && (await points()).includes(stopAt))) await Promise.race([pause(2), end])
      if (done !== undefined) throw new Error(`${script} never reached ${stopAt}: ${describeEnd(done)}`)
      return stoppedChild(child, ended, await points())
    },
  }
}

function stoppedChild(child: ChildProcess, ended: Promise<ChildResult>, points: readonly string[]): StoppedChild {
  return {
    processId: child.pid as number,
    points,
    resume() {
      child.kill('SIGCONT')
      return ended
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL') // also wakes a stopped process, to end it
      await ended
    },
  }
}

interface StartedChild {
  readonly child: ChildProcess
  readonly ended: Promise<ChildResult>
  points(): Promise<readonly string[]>
}

async function startChild(args: readonly string[], orders: { killAt?: string; stopAt?: string }, limitMs: number): Promise<StartedChild> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-crash-'))
  const pointsFile = join(folder, 'points')
  const points = async () => (await readFile(pointsFile, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '')
  const child = spawn(process.execPath, args, { env: environmentOfChild({ pointsFile, ...orders }), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const collect = (chunk: Buffer) => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const closed = new Promise<{ exitCode?: number; signal?: NodeJS.Signals }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ ...(code !== null && { exitCode: code }), ...(signal && { signal }) }))
  })
  const finish = async (): Promise<ChildResult> => {
    try {
      const end = await withinTime(closed, limitMs, `child ${args.join(' ')}`)
      return { ...end, points: await points(), output }
    } finally {
      child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
  }
  const ended = finish()
  ended.catch(() => {}) // whoever awaits it hears of it
  return { child, ended, points }
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
const describeEnd = ({ exitCode, signal, output }: ChildResult): string =>
  `exit code ${exitCode ?? '-'}, signal ${signal ?? '-'}\n${output}`

/** The line of a point is written just before the signal, so the process may still be running for a moment. */
async function isStopped(child: ChildProcess): Promise<boolean> {
  const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => undefined)
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
  await pause(50) // no /proc: nothing tells, but a process needs far less to receive its own signal
  return true
}
