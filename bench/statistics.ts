/** What one run of one measured program cost. */
export interface Cost {
  readonly wallSeconds: number
  /** Of the program and its children, and of the engine while it worked for it. */
  readonly cpuSeconds: number
  /** Largest sum of what the processes of the program held in memory. Absent where that cannot be seen from outside. */
  readonly rssMib?: number
}

/** One line of standard output. */
export interface BenchLine {
  readonly bench: string
  readonly peer: string
  /** Median over the rounds of ours divided by the peer's of the same round. */
  readonly wall_ratio: number
  readonly cpu_ratio: number
  /** Median peak of ours, MiB. */
  readonly rss_mib: number
  readonly ours: CostSummary
  readonly peers: CostSummary
  readonly rounds: number
  /** What was worked on. */
  readonly data: { readonly [name: string]: string | number }
}

/** Medians over the rounds. */
export interface CostSummary {
  readonly wall_seconds: number
  readonly cpu_seconds: number
  readonly rss_mib?: number
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('There is no median of nothing.')
  const sorted = [...values].sort((left, right) => left - right)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2
}

/**
 * Runs each program once per round, and begins each round with another one, so that what the machine does besides meets all alike.
 * The costs come by program, in the order of the rounds.
 */
export async function interleaved<Programs extends { readonly [name: string]: (round: number) => Promise<Cost> }>(
  rounds: number,
  programs: Programs,
): Promise<CostsOf<Programs>> {
  const entries = Object.entries(programs)
  const costs = new Map<string, Cost[]>(entries.map(([name]) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const first = round % entries.length
    for (const [name, program] of [...entries.slice(first), ...entries.slice(0, first)]) costs.get(name)?.push(await program(round))
  }
  return Object.fromEntries(costs) as unknown as CostsOf<Programs>
}

type CostsOf<Programs> = {
  readonly [Name in keyof Programs]: readonly (Programs[Name] extends ((round: number) => Promise<infer One>) | undefined ? One : never)[]
}

/** The line that compares two programs of the same rounds. */
export function benchLine(bench: string, peer: string, ours: readonly Cost[], peers: readonly Cost[], data: BenchLine['data']): BenchLine {
  if (ours.length !== peers.length) throw new Error(`${ours.length} rounds of ours and ${peers.length} of ${peer} cannot be compared.`)
  const ratio = (field: 'wallSeconds' | 'cpuSeconds') =>
    rounded(median(ours.map((cost, round) => cost[field] / (peers[round] as Cost)[field])), 3)
  const own = summary(ours)
  return {
    bench,
    peer,
    wall_ratio: ratio('wallSeconds'),
    cpu_ratio: ratio('cpuSeconds'),
    rss_mib: own.rss_mib ?? 0,
    ours: own,
    peers: summary(peers),
    rounds: ours.length,
    data,
  }
}

function summary(costs: readonly Cost[]): CostSummary {
  const memory = costs.flatMap((cost) => (cost.rssMib === undefined ? [] : [cost.rssMib]))
  return {
    wall_seconds: rounded(median(costs.map((cost) => cost.wallSeconds)), 3),
    cpu_seconds: rounded(median(costs.map((cost) => cost.cpuSeconds)), 3),
    ...(memory.length > 0 && { rss_mib: rounded(median(memory), 1) }),
  }
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))
