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
import type { Engine } from '../src/engine/engine.ts'
import { codeOf } from '../src/spec/errors.ts'

const isLong = process.env.HOLDFAST_LONG === '1'

/** Four points of a machine, and two nodes: one reads, and stands still at a read of the repository; the other merges and prunes meanwhile. */
async function site() {
  const platform = memoryPlatform({ random: seededRandom(11), clusters: 4 })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const repository = memoryRepository({ clock: systemClock })
  const offsite = memoryRepository({ clock: systemClock })
  const pause = { at: 0, seen: 0, reached: Promise.withResolvers<void>(), goOn: Promise.withResolvers<void>() }
  const hook = async ({ method, phase, arguments: given }: CallPoint) => {
    const isRead = /^(open|.*\.readInto|.*\.stream|list|put|sync)/.test(method)
    if (phase !== 'before' || pause.at === 0 || !(isRead || saysWhatItReads(method, given))) return
    if (++pause.seen !== pause.at) return
    pause.reached.resolve()
    await pause.goOn.promise
  }
  const engines: Engine[] = []
  const make = async (name: string, nodeStore: typeof store, main: typeof repository) => {
    const engine = await createEngine({
      name,
      store: nodeStore,
      repositories: { main, offsite },
      providers: { p: scriptedProvider(platform, { shape: 'ovirtLike', name: 'p' }) },
      logger: recordingLogger(),
      system: 'one',
      retry: { maxFailures: 1 },
      // The other node waits at its start until this one has renewed its lease: longer takes longer, shorter is lost on a busy machine.
      leaseMs: 1500,
    })
    engines.push(engine)
    await engine.start()
    return engine
  }
  const reader = await make('reader', observeCalls(store, hook, { seam: 'store' }), observeCalls(repository, hook, { seam: 'repository' }))
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
  const other = () => make('other', store, repository)
  const close = async () => {
    pause.goOn.resolve()
    for (const engine of engines) await engine.stop()
  }
  return { platform, reader, other, workload, points, pause, close }
}

/** The last moment at which what was looked up can still be written anew by somebody else. */
function saysWhatItReads(method: string, [, patch]: readonly unknown[]): boolean {
  return method === 'runs.save' && ((patch as { readonly reads?: readonly unknown[] }).reads ?? []).length > 0
}

type Site = Awaited<ReturnType<typeof site>>

/** What reads, and what must be true of its result. */
const readings: {
  readonly [name: string]: { begin(at: Site): PromiseLike<unknown>; check(at: Site, result: unknown): Promise<void> | void }
} = {
  restore: {
    begin: ({ reader, workload, points }) =>
      reader.run({ key: 'read', operation: 'restore', repository: 'main', workload, point: points[3]?.id, name: 'again' }),
    check({ platform, points }, result) {
      expect(platform.digest((result as { readonly workload: string }).workload)).toBe(points[3]?.digest)
    },
  },
  verify: {
    begin: ({ reader }) => reader.run({ key: 'read', operation: 'verify', repository: 'main' }),
    check: (_, result) => expect((result as { readonly findings: unknown }).findings).toEqual([]),
  },
  copy: {
    begin: ({ reader, workload, points }) =>
      reader.run({ key: 'read', operation: 'copy', from: 'main', repository: 'offsite', workload, points: [points[3]?.id] }),
    async check({ reader, platform, workload, points }) {
      const { workload: made } = await reader.restore(workload, { repository: 'offsite', point: points[3]?.id ?? '', name: 'from-copy' })
      expect(platform.digest(made)).toBe(points[3]?.digest)
    },
  },
  'backup of a child': {
    begin: ({ reader, workload }) => reader.run({ key: 'read', operation: 'backup', repository: 'main', workload }),
    check(at, result) {
      at.points.push({ id: (result as { readonly point: string }).point, digest: at.platform.digest(at.workload.id) })
    },
  },
  pin: {
    begin: ({ reader, points }) => reader.pin({ repository: 'main', point: points[2]?.id ?? '' }, 'audit'),
    async check({ reader, points }) {
      const pinned = (await reader.points({ repository: 'main' })).filter(({ flags }) => flags.pin !== undefined)
      expect(pinned.map(({ id }) => id)).toEqual([points[2]?.id])
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
    const run = Promise.resolve(reading.begin(here))
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
      await writer.run({ key: 'replaced', operation: 'prune', repository: 'main', retention: true, replaced: true })
      pause.goOn.resolve()
    }
    const result = await run
    pause.at = 0
    await reading.check(here, result)
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
  it.concurrent.each(Object.keys(readings))(
    '%s gets what it was asked for, at whichever read it stood',
    { timeout: 3_600_000 },
    async (name) => {
      let at = 1
      let tried = 0
      for (; await readBeside(name, at); at += isLong || at < 8 ? 1 : at) tried++
      expect(tried).toBeGreaterThan(1)
      process.stdout.write(`${name}: stood still at ${tried} of fewer than ${at} reads\n`)
    },
  )
})
