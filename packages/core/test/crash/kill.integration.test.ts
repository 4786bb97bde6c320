import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkReadable, checkRecovered } from './invariants.ts'
import { chosenPoints, countsOf, harness, prepare, seed, tryAll } from './kill-points.ts'
import { crashCases } from './world.ts'

const sample = 10
const hour = 3_600_000
let base: string
beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'holdfast-kill-'))
})
afterAll(() => rm(base, { recursive: true, force: true }))

describe(`a process that is killed (HOLDFAST_SEED=${seed})`, () => {
  for (const crashCase of crashCases) {
    it(`${crashCase.name}: one recovery makes it good, wherever it died`, { timeout: hour }, async () => {
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
