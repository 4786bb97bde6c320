import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkFiles, checkNothingLeft, checkPoints, recoverOnce, same } from './invariants.ts'
import { chosenPoints, countsOf, harness, type Prepared, prepare, seed, tryAll } from './kill-points.ts'
import { type CrashCase, crashCases, openWorld, runKey } from './world.ts'
import { stateOf, type WorldState } from './world-state.ts'

const sample = 6
/** All points of a long run, also on a machine that does much else. */
const longest = 6 * 3_600_000
let base: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-freeze-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))

/** Whether another engine has finished the run while the process stood still. Otherwise the process has lost nothing, and goes on rightly. */
const ends = ['taken over', 'not yet begun', 'not reached'] as const
type Ended = (typeof ends)[number]

/**
 * What must not change any more. Below a dead number a late writer may still put files, which are no part of any point and are swept. A request that was
 * on its way to the platform arrives, whoever sent it; it is undone again, which is checked after the next recovery.
 */
function lasting({ repository, catalog, platform }: WorldState, point: string): Partial<WorldState> {
  const dead = Object.entries(repository).flatMap(([path, hash]) => (hash === 'empty' ? [numberFolderOf(path)] : []))
  const kept = Object.entries(repository).filter(([path]) => !dead.some((folder) => path === folder || path.startsWith(`${folder}/`)))
  return { repository: Object.fromEntries(kept), catalog, ...(!point.startsWith('platform.') && { platform }) }
}

const numberFolderOf = (manifest: string): string => manifest.replace(/manifest\.(\d+)\.json$/, '$1')

async function freezeAt(prepared: Prepared, crashCase: CrashCase, point: string): Promise<Ended> {
  const folder = await prepared.copy()
  const child = await harness.runStoppedAt(prepared.script, prepared.argumentsIn(folder), point).catch((error: Error) => {
    if (/never reached/.test(error.message)) return undefined // how often something is asked for depends on time
    throw error
  })
  let ended: Ended = child === undefined ? 'not reached' : 'not yet begun'
  if (child) {
    try {
      const finished = await recoverOnce(folder, crashCase, 'second')
      if (finished.catalog.runs?.some((run) => run.key === runKey)) ended = 'taken over'
      const { exitCode, signal, output } = await child.resume()
      expect({ exitCode, signal, output }, 'how the frozen process ended').toEqual({ exitCode: 0, signal: undefined, output: '' })
      if (ended === 'taken over') same(lasting(finished, point), lasting(await stateOf(folder), point), 'the frozen process')
    } finally {
      await child[Symbol.asyncDispose]()
    }
  }
  checkNothingLeft(await recoverOnce(folder, crashCase, 'third'), prepared.before, crashCase)
  await checkFiles(folder)
  const world = await openWorld(folder, crashCase.shape, 'fourth')
  try {
    await world.engine.start()
    await checkPoints(world, crashCase, prepared.facts)
  } finally {
    await world.engine.stop()
  }
  await rm(folder, { recursive: true })
  return ended
}

describe(`a process that stands still and goes on after another engine has finished its run (HOLDFAST_SEED=${seed})`, () => {
  for (const crashCase of crashCases) {
    it(`${crashCase.name}: it changes nothing, wherever it stood`, { timeout: longest }, async () => {
      const prepared = await prepare(base, crashCase)
      const chosen = chosenPoints(prepared.points, sample)
      const seen: Ended[] = []
      const failures = await tryAll(chosen, async (point) => {
        seen.push(await freezeAt(prepared, crashCase, point))
      })
      const told = ends.map((end) => `${end} ${seen.filter((each) => each === end).length}`)
      process.stdout.write(`frozen in ${crashCase.name}: ${countsOf(prepared.points)}; tried ${chosen.length}: ${told.join(', ')}\n`)
      expect(failures).toEqual([])
      expect(seen.filter((end) => end === 'taken over' || end === 'not yet begun').length).toBeGreaterThan(chosen.length * 0.8)
      expect(seen).toContain('taken over')
    })
  }
})
