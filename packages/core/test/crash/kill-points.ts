import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { crashHarness, seededRandom } from '@holdfast/testkit'
import { bundleChild } from './bundle.ts'
import { prepareWorld } from './template.ts'
import { type CrashCase, type Facts, pathsOf } from './world.ts'
import { stateOf, type WorldState } from './world-state.ts'

export const harness = crashHarness()
export const seed = Number(process.env.HOLDFAST_SEED ?? 1)
export const isLong = process.env.HOLDFAST_LONG === '1'
/** Points to look at again, separated by commas. */
const only = process.env.HOLDFAST_CRASH_POINT?.split(',')
/** In a long run: how many points, in their order, an earlier run has tried already. */
const tried = Number(process.env.HOLDFAST_CRASH_FROM ?? 0)
/** And up to which one it goes. */
const end = Number(process.env.HOLDFAST_CRASH_TO ?? Number.POSITIVE_INFINITY)
/** How many points of each operation, instead of the number that the test has. */
const sample = process.env.HOLDFAST_CRASH_SAMPLE

/** One operation, prepared: a template world, and every point that the operation passes in a copy of it. */
export interface Prepared {
  readonly facts: Facts
  readonly before: WorldState
  readonly points: readonly string[]
  readonly script: string
  /** Arguments of the script in a folder. */
  argumentsIn(folder: string): readonly string[]
  /** A world of its own for one child. */
  copy(): Promise<string>
}

export async function prepare(base: string, crashCase: CrashCase): Promise<Prepared> {
  const place = join(base, crashCase.name.replaceAll(' ', '-'))
  const template = `${place}-template`
  const script = await bundleChild(place)
  const facts = await prepareWorld(template, crashCase)
  const before = await stateOf(template)
  if (crashCase.catalogLost) await rm(pathsOf(template).catalog)
  let count = 0
  const copy = async () => {
    const folder = `${place}-${++count}`
    await cp(template, folder, { recursive: true, verbatimSymlinks: true })
    return folder
  }
  const argumentsIn = (folder: string) => [folder, crashCase.name, join(place, 'compiled')]
  const dry = await copy()
  const points = await harness.recordPoints(script, argumentsIn(dry))
  await rm(dry, { recursive: true })
  return { facts, before, points, script, argumentsIn, copy }
}

const seamOf = (point: string): string => point.slice(0, point.indexOf('.'))

/** `214 points: repository 38, store 60` */
export function countsOf(points: readonly string[]): string {
  const counts = [...Map.groupBy(points, seamOf)].map(([seam, of]) => `${seam} ${of.length}`)
  return `${points.length} points: ${counts.sort().join(', ')}`
}

/** All points in a long run; otherwise as many as told, of every seam, by seed. */
export function chosenPoints(points: readonly string[], count: number): readonly string[] {
  if (only !== undefined) return points.filter((point) => only.includes(point))
  if (isLong) return points.slice(tried, end)
  const wanted = Math.min(Number(sample ?? count), points.length)
  const random = seededRandom(seed)
  const piles = [...Map.groupBy(points, seamOf).values()].map((pile) => [...pile])
  const chosen: string[] = []
  while (chosen.length < wanted) {
    for (const pile of piles) if (pile.length > 0) chosen.push(...pile.splice(random.below(pile.length), 1))
  }
  return chosen.slice(0, wanted)
}

/** vitest cuts long values in a message; `actual` is whole. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'actual' in error ? `${error.message}: ${JSON.stringify(error.actual)}` : error.message
}

/** A few at a time; gives what failed, with what reproduces it. */
export async function tryAll(points: readonly string[], body: (point: string) => Promise<void>): Promise<readonly string[]> {
  const failures: string[] = []
  const waiting = [...points]
  const worker = async () => {
    for (let point = waiting.shift(); point !== undefined; point = waiting.shift()) {
      try {
        await body(point)
      } catch (error) {
        failures.push(`HOLDFAST_CRASH_POINT='${point}': ${describeError(error)}`)
        if (isLong || sample !== undefined) process.stderr.write(`${failures.at(-1)}\n`)
      }
    }
  }
  await Promise.all([worker(), worker(), worker(), worker()])
  return failures
}
