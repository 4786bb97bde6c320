import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from './bench-context.ts'
import type { Chain } from './chain-of-layers.ts'
import { measure, quoted } from './measure.ts'
import { measureOurs } from './our-program.ts'
import { settled } from './settled.ts'
import { type Cost, median } from './statistics.ts'

/** What one of our programs cost, and what it said about its time. */
export interface TimedCost extends Cost {
  readonly times: Times
}

/** Seconds by what was done; things are done at once, so they add up to more than the whole. */
export type Times = { readonly [name: string]: number }

/** Runs a built program that tells its times. */
export async function timedProgram(name: string, words: readonly string[]): Promise<TimedCost> {
  const { stderr, ...cost } = await measureOurs(name, words)
  const [, times] = /^times (.*)$/m.exec(stderr) ?? []
  if (times === undefined) throw new Error(`${name} told no times: ${stderr}`)
  return { ...cost, times: JSON.parse(times) as Times }
}

/** Tells people how it goes. */
export async function told<Result extends Cost>(say: BenchContext['say'], name: string, cost: Promise<Result>): Promise<Result> {
  const result = await cost
  say(`${name}: ${result.wallSeconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s, ${result.rssMib?.toFixed(0) ?? '?'} MiB`)
  return result
}

/** The merge of a chain, or the roll-up of its increments. `check`: once, outside the measured time, `qemu-img` compares the disk that came out. */
export async function mergeChain(
  how: 'verified' | 'plain' | 'rollup',
  chain: Chain,
  folder: string,
  check: string | undefined,
): Promise<TimedCost> {
  settled(folder)
  const images = chain.layers.map(({ image }) => image)
  const cost = await timedProgram('merge-chain', [how, folder, ...images])
  if (check !== undefined) compare(check, join(folder, 'disk.qcow2'), chain, how === 'rollup')
  await rm(folder, { recursive: true })
  return cost
}

function compare(qemu: string, image: string, { layers, top }: Chain, rollup: boolean): void {
  const run = (...words: string[]) => execFileSync(qemu, words, { stdio: ['ignore', 'ignore', 'inherit'] })
  const base = layers[0]?.image ?? ''
  if (rollup) run('rebase', '-u', '-f', 'qcow2', '-b', base, '-F', 'qcow2', image)
  run('check', '-q', image)
  run('compare', '-q', '-f', 'qcow2', '-F', 'qcow2', image, top.image)
}

/** The disk alone: as many bytes as the base image has, from memory to the disk, past the page cache, durably. */
export async function rawWrite(chain: Chain, folder: string): Promise<Cost> {
  settled(folder)
  const base = chain.layers[0]?.image ?? ''
  const cost = await measure('dd', [`if=${base}`, `of=${join(folder, 'raw')}`, 'bs=4M', 'oflag=direct', 'conv=fsync', 'status=none'])
  await rm(folder, { recursive: true })
  return cost
}

/** The numbers of a line that say how near ours came to the disk, and where its time went. */
export function whereTimeWent(ours: readonly TimedCost[], bytes: number, disk: readonly Cost[], diskBytes: number): Times {
  const mib = (size: number, costs: readonly Cost[]) => median(costs.map(({ wallSeconds }) => size / 2 ** 20 / wallSeconds))
  const names = Object.keys(ours[0]?.times ?? {})
  const seconds = names.map((name) => [`${name}_seconds`, rounded(median(ours.map(({ times }) => times[name] ?? 0)))])
  const [own, raw] = [mib(bytes, ours), mib(diskBytes, disk)]
  return { disk_mib_per_second: Math.round(raw), share_of_disk: rounded(own / raw), ...Object.fromEntries(seconds) }
}

const rounded = (value: number): number => Number(value.toFixed(3))

/** A command of `qemu-img` for the shell. */
export const qemuWords = (qemu: string, ...words: readonly string[]): string => [qemu, ...words].map(quoted).join(' ')
