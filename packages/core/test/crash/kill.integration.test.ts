import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkReadable, checkRecovered } from './invariants.ts'
import { chosenPoints, countsOf, harness, prepare, seed, tryAll } from './kill-points.ts'
import { type CrashCase, crashCases } from './world.ts'

const sample = 10
/** All points of a long run, also on a machine that does much else. */
const longest = 6 * 3_600_000
let base: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-kill-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))

/** Where another program, killed while it merges or tidies up after it, has lost every point or is stuck for good. */
const worstPoints: { readonly [position: string]: (point: string) => boolean } = {
  'after the first file of the merge was written': (point) => point === 'repository.put.after#1',
  'after the manifest of the old number was emptied, before its files went': (point) => point === 'repository.alias.before#1',
  'after the first old file has given way, before the next': (point) => point === 'repository.alias.after#1',
}

describe('a merge that is killed at the positions at which others lose every point', () => {
  const crashCase = crashCases.find(({ name }) => name === 'merge') as CrashCase
  it.each(Object.entries(worstPoints))(
    '%s: every point is there, before anything heals and after',
    { timeout: longest },
    async (position, isIt) => {
      await mkdir(join(base, position.replaceAll(' ', '-')))
      const { facts, before, points, script, argumentsIn, copy } = await prepare(join(base, position.replaceAll(' ', '-')), crashCase)
      const point = points.find(isIt)
      if (point === undefined) throw new Error(`no such point among ${points.length}`)
      const folder = await copy()
      const { signal } = await harness.runKilledAt(script, argumentsIn(folder), point)
      expect(signal).toBe('SIGKILL')
      await checkReadable(folder, crashCase, facts)
      await checkRecovered(folder, crashCase, facts, before)
      await rm(folder, { recursive: true })
    },
  )
})

describe(`a process that is killed (HOLDFAST_SEED=${seed})`, () => {
  for (const crashCase of crashCases) {
    it(`${crashCase.name}: one recovery makes it good, wherever it died`, { timeout: longest }, async () => {
      const { facts, before, points, script, argumentsIn, copy } = await prepare(base, crashCase)
      const chosen = chosenPoints(points, sample)
      let reached = 0
      const failures = await tryAll(chosen, async (point) => {
        const folder = await copy()
        const { signal, output } = await harness.runKilledAt(script, argumentsIn(folder), point)
        expect(output).toBe('')
        if (signal === 'SIGKILL') reached++
        if (crashCase.followed || crashCase.name === 'prune') await checkReadable(folder, crashCase, facts)
        await checkRecovered(folder, crashCase, facts, before)
        await rm(folder, { recursive: true })
      })
      process.stdout.write(`killed in ${crashCase.name}: ${countsOf(points)}; tried ${chosen.length}, reached ${reached}\n`)
      expect(failures).toEqual([])
      expect(reached).toBeGreaterThan(chosen.length * 0.8)
    })
  }
})
