import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { programPath } from '../build.ts'
import { measure } from '../measure.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

const plans = 1000
const workloads = 10

/** `due` and one `advance` for each plan, against the same rows put by prepared statements in as many transactions. */
export async function duePlans({ rounds, folder, print, say }: BenchContext): Promise<void> {
  const costs = await interleaved(rounds, { ours: () => told('ours', folder, say), peer: () => told('peer', folder, say) })
  print(benchLine('plans', 'prepared statements of node:sqlite', costs.ours, costs.peer, { plans, workloads, transactions: plans }))
}

async function told(who: string, base: string, say: BenchContext['say']): Promise<Cost> {
  const folder = await mkdtemp(join(base, 'plans-'))
  const { stderr, rssMib = 0 } = await measure(process.execPath, [programPath('plans'), who, folder, String(plans), String(workloads)])
  await rm(folder, { recursive: true })
  const second = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(stderr)?.[1])
  const cost = { wallSeconds: second('wall'), cpuSeconds: second('cpu'), rssMib }
  say(`${who}: ${cost.wallSeconds.toFixed(3)} s, CPU ${cost.cpuSeconds.toFixed(3)} s`)
  return cost
}
