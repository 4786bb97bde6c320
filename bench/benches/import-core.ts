import type { BenchContext } from '../bench-context.ts'
import { programPath } from '../build.ts'
import { measure } from '../measure.ts'
import { benchLine, type Cost, interleaved, median } from '../statistics.ts'

/** A start takes a few hundredths of a second, so one round is the median of several. */
const startsPerRound = 9

/** Node with the built core against Node with an empty module. `rss_mib` is what the core adds to it. */
export async function importCore({ rounds, print, say }: BenchContext): Promise<void> {
  const costs = await interleaved(rounds, { ours: () => start('import-core'), empty: () => start('import-nothing') })
  const line = benchLine('import-core', 'node with an empty module', costs.ours, costs.empty, { node: process.version })
  const added = median(costs.ours.map(({ rssMib = 0 }, round) => rssMib - (costs.empty[round]?.rssMib ?? 0)))
  say(`the core adds ${added.toFixed(1)} MiB`)
  print({ ...line, rss_mib: Number(added.toFixed(1)) })
}

async function start(program: string): Promise<Cost> {
  const costs: Cost[] = []
  for (let count = 0; count < startsPerRound; count++) costs.push(await measure(process.execPath, [programPath(program)]))
  // Too short to be watched: in a start of its own the process tells its memory itself.
  const { stderr } = await measure(process.execPath, ['--import', programPath('tell-memory'), programPath(program)])
  const kib = Number(/^peak (\d+)$/m.exec(stderr)?.[1])
  return {
    wallSeconds: median(costs.map((cost) => cost.wallSeconds)),
    // In steps of 10 milliseconds: only the mean says something.
    cpuSeconds: costs.reduce((sum, cost) => sum + cost.cpuSeconds, 0) / costs.length,
    rssMib: kib / 1024,
  }
}
