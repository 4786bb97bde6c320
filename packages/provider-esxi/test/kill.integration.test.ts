import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chosenPoints, countsOf, harness, seed, tryAll } from '../../core/test/crash/kill-points.ts'
import { type CrashSite, checkReplica, deliveredIn, type HostedWorld, longest, openCrashSite, recover } from './support/crash-site.ts'
import { type KilledOperation, killedCases } from './support/kill-world.ts'

const sample = 4

describe(`a process that is killed while it works on a simulated host (HOLDFAST_SEED=${seed})`, () => {
  let site: CrashSite
  beforeAll(async () => {
    site = await openCrashSite()
  })
  afterAll(() => site[Symbol.asyncDispose]())

  /** What must hold after one recovery, wherever the process died. */
  async function checkRecovered(world: HostedWorld, operation: KilledOperation): Promise<void> {
    const { host } = world
    // The process is gone, and so is what it knew of its session.
    const lost = host.sessions()
    expect(lost).toBeLessThanOrEqual(1)
    const delivered = deliveredIn(world)
    checkReplica(world)
    await site.checkSettled(world, operation, await recover(world, 'second'))
    if (delivered !== undefined) expect(deliveredIn(world), 'what was delivered').toBe(delivered)
    expect(host.sessions(), 'sessions of who has recovered').toBe(lost)
    // What nobody can end any more a host ends by itself.
    host.sessionSettings.idleSeconds = 0
    expect(host.sessions()).toBe(0)
  }

  it.each(Object.keys(killedCases) as KilledOperation[])(
    '%s: one recovery leaves no snapshot, lease, session or half a machine, wherever it died',
    { timeout: longest },
    async (operation) => {
      const points = await site.points(operation)
      const chosen = chosenPoints(points, sample)
      let reached = 0
      const failures = await tryAll(chosen, (point) =>
        site.inWorld(async (world) => {
          const { signal, output } = await harness.runKilledAt(site.script, site.argumentsIn(world, operation), point)
          expect(output).toBe('')
          if (signal === 'SIGKILL') reached += 1
          await checkRecovered(world, operation)
        }),
      )
      process.stdout.write(`killed in ${operation} on a simulated host: ${countsOf(points)}; tried ${chosen.length}, reached ${reached}\n`)
      expect(failures).toEqual([])
      expect(reached).toBeGreaterThan(chosen.length * 0.8)
    },
  )
})
