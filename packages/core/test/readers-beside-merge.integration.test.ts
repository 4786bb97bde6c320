import {
  type CallPoint,
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  observeCalls,
  recordingLogger,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { createEngine } from '../src/engine/create-engine.ts'
import type { Engine, RunOrder } from '../src/engine/engine.ts'
import { codeOf } from '../src/spec/errors.ts'

const isLong = process.env.HOLDFAST_LONG === '1'
/** Four points of a machine, and two nodes: one reads, and stands still at a read of the repository; the other merges and prunes meanwhile. */
async function site() {
  const platform = memoryPlatform({ random: seededRandom(11), clusters: 4 })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const offsite = memoryRepository({ clock: systemClock })
  const pause = { at: 0, seen: 0, reached: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() }
  const hook = async ({ method, phase }: CallPoint) => {
    if (phase !== 'before' || !/^(open|.*\.readInto|.*\.stream|list)/.test(method) || pause.at === 0) return
    if (++pause.seen !== pause.at) return
    pause.reached.resolve()
    await pause.goOn.promise
  }
  const engines: Engine[] = []
  const make = async (name: string, main: typeof repository) => {
    const engine = await createEngine({
      name,
      store,
      repositories: { main, offsite },
      providers: { p: scriptedProvider(platform, { shape: 'ovirtLike', name: 'p' }) },
      logger: recordingLogger(),
      system: 'one',
      retry: { maxFailures: 1 },
    })
    engines.push(engine)
    await engine.start()
    return engine
  }
  const reader = await make('reader', observeCalls(repository, hook, { seam: 'repository' }))
  const workload = { provider: 'p', id: platform.addMachine('shop', 1) }
  const random = seededRandom(5)
  const points: { readonly id: string; readonly digest: string | undefined }[] = []
  const backup = async () => {
    const digest = platform.digest(workload.id)
    const made = (await reader.run({ key: `backup-${points.length}`, operation: 'backup', repository: 'main', workload })) as {
      point: string
    }
    points.push({ id: made.point, digest })
    for (let writes = 0; writes < 3; writes++) platform.mutate(random)
  }
  for (let count = 0; count < 4; count++) await backup()
  // Made last: while it looks for work, it would do the reading itself.
  const other = () => make('other', repository)
  const close = async () => {
    pause.goOn.resolve()
    for (const engine of engines) await engine.stop()
  }
  return { platform, reader, other, workload, points, pause, close }
}

type Site = Awaited<ReturnType<typeof site>>

/** What reads, and what must be true of its result. */
const readings: { readonly [name: string]: { order(at: Site): RunOrder; check(at: Site, result: unknown): Promise<void> | void } } = {
  restore: {
    order: ({ workload, points }) => ({
      key: 'read',
      operation: 'restore',
      repository: 'main',
      workload,
      point: points[3]?.id,
      name: 'again',
    }),
    check({ platform, points }, result) {
      expect(platform.digest((result as { readonly workload: string }).workload)).toBe(points[3]?.digest)
    },
  },
  verify: {
    order: () => ({ key: 'read', operation: 'verify', repository: 'main' }),
    check: (_, result) => expect((result as { readonly findings: unknown }).findings).toEqual([]),
  },
  copy: {
    order: ({ workload, points }) => ({
      key: 'read',
      operation: 'copy',
      from: 'main',
      repository: 'offsite',
      workload,
      points: [points[3]?.id],
    }),
    async check({ reader, platform, workload, points }) {
      const { workload: made } = await reader.restore(workload, { repository: 'offsite', point: points[3]?.id ?? '', name: 'from-copy' })
      expect(platform.digest(made)).toBe(points[3]?.digest)
    },
  },
  'backup of a child': {
    order: ({ workload }) => ({ key: 'read', operation: 'backup', repository: 'main', workload }),
    check(at, result) {
      at.points.push({ id: (result as { readonly point: string }).point, digest: at.platform.digest(at.workload.id) })
    },
  },
}

/** False: the operation has fewer reads. */
async function readBeside(name: string, at: number): Promise<boolean> {
  const here = await site()
  const { reader, other, points, pause, workload, platform, close } = here
  const reading = readings[name] as (typeof readings)[string]
  try {
    pause.at = at
    const run = reader.run(reading.order(here))
    const ended = run.then(
      () => false,
      () => false,
    )
    const reached = await Promise.race([pause.reached.promise.then(() => true), ended])
    if (reached) {
      const writer = await other()
      await writer.merge({ repository: 'main', point: points[2]?.id ?? '' })
      // What is read must stay; the rest may go. Either is right here, but nothing may be lost.
      for (const each of [0, 1]) await writer.prune({ repository: 'main', points: [points[each]?.id ?? ''] }).catch(allowed)
      await writer.prune({ repository: 'main', retention: true })
      pause.goOn.resolve()
    }
    await reading.check(here, await run)
    await reader.idle()
    await reader.prune({ repository: 'main', retention: true })
    expect((await reader.verify({ repository: 'main' })).findings).toEqual([])
    for (const { id } of await reader.points({ repository: 'main' })) {
      const { workload: made } = await reader.restore(workload, { repository: 'main', point: id, name: `check-${id}` })
      expect(platform.digest(made), `${name}, read ${at}, point ${id}`).toBe(points.find((point) => point.id === id)?.digest)
    }
    return reached
  } finally {
    await close()
  }
}

const allowed = (error: unknown): void => {
  if (codeOf(error) !== 'IN_USE' && codeOf(error) !== 'POINT_NEEDED') throw error
}

describe('beside a merge and a prune that run to their end while it stands still', () => {
  it.each(Object.keys(readings))('%s gets what it was asked for, at whichever read it stood', { timeout: 3_600_000 }, async (name) => {
    let at = 1
    let tried = 0
    for (; await readBeside(name, at); at += isLong ? 1 : 2 * at) tried++
    expect(tried).toBeGreaterThan(2)
    process.stdout.write(`${name}: stood still at ${tried} of fewer than ${at} reads\n`)
  })
})
