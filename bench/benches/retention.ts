import type { BenchContext } from '../bench-context.ts'
import { programPath } from '../build.ts'
import { measure } from '../measure.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

const few = 100_000
const many = 1_000_000

/** `planRetention` with every rule against a sort of the same points with a comparator, and ten times the points against the points. */
export async function retention({ rounds, print, say }: BenchContext): Promise<void> {
  const costs = await interleaved(rounds, {
    ours: () => told('ours', few, say),
    sort: () => told('sort', few, say),
    many: () => told('ours', many, say),
  })
  const data = {
    points: few,
    zone: 'Europe/Berlin',
    content: 'every 15 minutes, chains of 10, shuffled; every rule, months and years with places left',
  }
  print(benchLine('retention', 'sort of the same array with a comparator', costs.ours, costs.sort, data))
  print(benchLine('retention', `ours, ${few} points`, costs.many, costs.ours, { ...data, points: many }))
}

/** Each in a process of its own; its clock runs from the call to its answer, without loading Node and making the points. The best of three calls. */
async function told(what: string, count: number, say: BenchContext['say']): Promise<Cost> {
  const { stderr, rssMib = 0 } = await measure(process.execPath, ['--expose-gc', programPath('retention'), what, String(count)])
  const second = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(stderr)?.[1])
  const cost = { wallSeconds: second('wall'), cpuSeconds: second('cpu'), rssMib }
  say(`${what}, ${count} points: ${cost.wallSeconds.toFixed(3)} s, CPU ${cost.cpuSeconds.toFixed(3)} s, ${rssMib.toFixed(0)} MiB`)
  return cost
}
