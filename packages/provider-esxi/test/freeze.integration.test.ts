import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chosenPoints, countsOf, harness, seed, tryAll } from '../../core/test/crash/kill-points.ts'
import {
  type CrashSite,
  checkReplica,
  deliveredIn,
  type HostedWorld,
  longest,
  openCrashSite,
  recover,
  wasAsked,
} from './support/crash-site.ts'
import { type KilledOperation, killedCases } from './support/kill-world.ts'

const sample = 3

/** Whether another engine has finished the run while the process stood still. Otherwise the process has lost nothing, and goes on rightly. */
const ends = ['taken over', 'not yet begun', 'not reached'] as const
type Ended = (typeof ends)[number]

describe(`a process that stands still on a simulated host, and goes on when another has finished its run (HOLDFAST_SEED=${seed})`, () => {
  let site: CrashSite
  beforeAll(async () => {
    site = await openCrashSite()
  })
  afterAll(() => site[Symbol.asyncDispose]())

  async function stopAt(world: HostedWorld, operation: KilledOperation, point: string) {
    return harness.runStoppedAt(site.script, site.argumentsIn(world, operation), point).catch((error: Error) => {
      if (/never reached/.test(error.message)) return undefined // how often something is asked for depends on time
      throw error
    })
  }

  /** @param endsSessions The host ends the session of who stands still, as it does after half an hour. */
  async function freezeAt(world: HostedWorld, operation: KilledOperation, point: string, endsSessions: boolean): Promise<Ended> {
    const child = await stopAt(world, operation, point)
    if (child === undefined) return 'not reached'
    let ended: Ended = 'not yet begun'
    try {
      if (endsSessions) world.host.endSessions()
      if (wasAsked(await recover(world, 'second'))) ended = 'taken over'
      const delivered = deliveredIn(world)
      const { exitCode, signal, output } = await child.resume()
      expect({ exitCode, signal, output }, 'how the frozen process ended').toEqual({ exitCode: 0, signal: undefined, output: '' })
      checkReplica(world)
      if (delivered !== undefined) expect(deliveredIn(world), 'what another has delivered').toBe(delivered)
    } finally {
      await child[Symbol.asyncDispose]()
    }
    expect(world.host.sessions(), 'sessions when all have logged out').toBe(0)
    // A request that was on its way arrives, whoever sent it: it is undone again.
    await site.checkSettled(world, operation, await recover(world, 'third'))
    expect(world.host.sessions()).toBe(0)
    return ended
  }

  it.each(Object.keys(killedCases) as KilledOperation[])(
    '%s: it does no harm, wherever it stood',
    { timeout: longest },
    async (operation) => {
      const points = await site.points(operation)
      const chosen = chosenPoints(points, sample)
      const seen: Ended[] = []
      const failures = await tryAll(chosen, (point) =>
        site.inWorld(async (world) => {
          seen.push(await freezeAt(world, operation, point, points.indexOf(point) % 2 === 1))
        }),
      )
      const told = ends.map((end) => `${end} ${seen.filter((each) => each === end).length}`)
      process.stdout.write(`frozen in ${operation} on a simulated host: ${countsOf(points)}; tried ${chosen.length}: ${told.join(', ')}\n`)
      expect(failures).toEqual([])
      expect(seen.filter((end) => end !== 'not reached').length).toBeGreaterThan(chosen.length * 0.8)
      expect(seen).toContain('taken over')
    },
  )
})
