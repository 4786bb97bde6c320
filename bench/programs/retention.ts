// What takes how long: `ours` or `sort`, and of how many points. Tells seconds on standard error; making the points does not count.
import { planRetention, type RetentionPoint, type RetentionPolicy } from '../../packages/core/src/retention/index.ts'

const [what, countText] = process.argv.slice(2)
const count = Number(countText)
const calls = 3
const minute = 60_000
const newest = Date.UTC(2026, 10, 21)

/** As it comes from a store: with flat strings of its own. */
const asRead = (point: RetentionPoint) => JSON.parse(JSON.stringify(point)) as RetentionPoint

/** Every 15 minutes, a full and nine increments in turn, some pinned, verified, quarantined; in no order. */
function shuffledPoints(): RetentionPoint[] {
  const idOf = (at: number) =>
    `${new Date(newest - (count - at) * 15 * minute).toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${at.toString(16).padStart(16, '0')}`
  const points = Array.from(
    { length: count },
    (_, at): RetentionPoint =>
      asRead({
        id: idOf(at),
        sequence: at + 1,
        createdAt: newest - (count - at) * 15 * minute,
        parents: at % 10 === 0 ? [] : [idOf(at - 1)],
        ...(at % 1000 === 3 && { pinned: 'before the migration' }),
        ...(at % 7 === 0 && { verifiedAt: newest }),
        ...(at % 997 === 5 && { quarantined: 'a sum is wrong' }),
      }),
  )
  let state = 20261121
  for (let at = count - 1; at > 0; at--) {
    state = (state * 48_271) % 2_147_483_647
    const other = state % (at + 1)
    ;[points[at], points[other]] = [points[other] as RetentionPoint, points[at] as RetentionPoint]
  }
  return points
}

/** Months and years have places left until the last point, so that no rule is cheap. */
const policy: RetentionPolicy = {
  last: 10,
  hourly: 48,
  daily: 30,
  weekly: 52,
  monthly: 1000,
  yearly: 100,
  within: 7 * 24 * 60 * minute,
  maxAge: 100 * 365 * 24 * 60 * minute,
  zone: 'Europe/Berlin',
}

const work: { readonly [what: string]: (points: RetentionPoint[]) => readonly unknown[] } = {
  ours: (points) => planRetention(points, policy, newest).decisions,
  sort: (points) => [...points].sort((a, b) => b.sequence - a.sequence || (a.id < b.id ? 1 : -1)),
}

const points = shuffledPoints()
const costs: { readonly wall: number; readonly cpu: number }[] = []
for (let call = 0; call < calls; call++) {
  // What was thrown away before is nobody's cost.
  globalThis.gc?.()
  const cpuBefore = process.cpuUsage()
  const begin = process.hrtime.bigint()
  const done = work[what ?? '']?.(points).length
  const wall = Number(process.hrtime.bigint() - begin) / 1e9
  const { user, system } = process.cpuUsage(cpuBefore)
  if (done !== count) throw new Error(`${what} of ${countText}: ${done} answers`)
  costs.push({ wall, cpu: (user + system) / 1e6 })
}
const [best] = costs.toSorted((a, b) => a.wall - b.wall)
process.stderr.write(`wall ${best?.wall}\ncpu ${best?.cpu}\n`)
