import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cost } from './statistics.ts'

/** Ticks per second of the times in /proc: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100
const sampleMs = 20

/** Something that works for the measured program without being its child: its CPU seconds so far. */
export type OtherWork = () => number

export interface MeasureOptions {
  readonly other?: OtherWork
  /** Variables of the environment besides those that are there. */
  readonly environment?: { readonly [name: string]: string }
}

/**
 * Runs a program to its end. The CPU seconds are those of the program and of all children it waited for, which the system adds to ours when we wait
 * for it, so only one may run at a time. The memory is the peak of each of its processes, added up: no more than a pipeline held together.
 */
export async function measure(
  command: string,
  words: readonly string[],
  { other = () => 0, environment }: MeasureOptions = {},
): Promise<Cost & { readonly stderr: string }> {
  const cpuBefore = childSeconds() + other()
  const begin = process.hrtime.bigint()
  const child = spawn(command, words, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...environment } })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const peaks = new Map<number, number>()
  const over = new AbortController()
  const sampling = samplePeaks(child.pid ?? 0, peaks, over.signal)
  try {
    const closed = once(child, 'close')
    const [code, signal] = await once(child, 'exit')
    const wallSeconds = Number(process.hrtime.bigint() - begin) / 1e9
    await closed
    if (code !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${code ?? signal}:\n${stderr}`)
    const cpuSeconds = childSeconds() + other() - cpuBefore
    return { wallSeconds, cpuSeconds, rssMib: [...peaks.values()].reduce((sum, kib) => sum + kib, 0) / 1024, stderr }
  } finally {
    over.abort()
    await sampling
  }
}

/** A pipeline of the shell; fails when any part of it fails. */
export function measureShell(script: string, other?: OtherWork): Promise<Cost & { readonly stderr: string }> {
  return measure('bash', ['-e', '-o', 'pipefail', '-c', script], other && { other })
}

/** A word for the shell. */
export const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

async function samplePeaks(pid: number, peaks: Map<number, number>, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    for (const each of processTree(pid)) {
      const kib = Number(/^VmHWM:\s+(\d+) kB/m.exec(textOf(`/proc/${each}/status`))?.[1] ?? 0)
      if (kib > (peaks.get(each) ?? 0)) peaks.set(each, kib)
    }
    await delay(sampleMs, undefined, { signal: over }).catch(() => undefined)
  }
}

/** A process and everything below it. */
export function processTree(pid: number): readonly number[] {
  const children = textOf(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((word) => word !== '')
  return [pid, ...children.flatMap((child) => processTree(Number(child)))]
}

/** CPU seconds of a process itself and of the children it has waited for. */
export function processSeconds(pid: number): number {
  return timesOf(pid).reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond
}

function childSeconds(): number {
  const [, , user = 0, system = 0] = timesOf(process.pid)
  return (user + system) / ticksPerSecond
}

/** utime, stime, cutime, cstime. */
function timesOf(pid: number): readonly number[] {
  const stat = textOf(`/proc/${pid}/stat`)
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number)
}

/** Empty when the process is gone. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
