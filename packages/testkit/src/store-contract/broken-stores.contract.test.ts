import type { Lease, NodeReport, RunRequest, Store } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { collectingRunner } from '../collecting-runner.ts'
import { fakeClock } from '../fake-clock.ts'
import { countingIds } from '../fake-ids.ts'
import { type MemoryStore, memoryStore } from '../memory-store/memory-store.ts'
import type { StoreState } from '../memory-store/store-state.ts'
import { storeContract } from './store-contract.ts'

type Part = 'plans' | 'runs' | 'points' | 'nodes' | 'replications' | 'outbox'

/** The store with some methods of one part replaced. */
const replaced = <P extends Part>(store: Store, part: P, methods: Partial<Store[P]>): Store => ({
  ...store,
  [part]: { ...store[part], ...methods },
})
const stripped = (requests: readonly RunRequest[], name: 'resources' | 'needs' | 'overlap'): readonly RunRequest[] =>
  requests.map((request) => {
    const { overlap, ...rest } = request
    return name === 'overlap' ? rest : { ...request, [name]: [] }
  })
const fresh = () => ({ signal: new AbortController().signal })

interface Breakage {
  readonly breakStore: (good: MemoryStore) => Store
  /** The end of the name of a test that has to fail. */
  readonly caughtBy: string
}

const broken: { readonly [name: string]: Breakage } = {
  'claims a due time without comparing': {
    breakStore: (good) =>
      replaced(good, 'plans', {
        async advance(from, next, runs, options) {
          const { cursors } = await good.plans.due(100, options)
          const current = cursors.find((cursor) => cursor.planId === from.planId && cursor.schedule === from.schedule)
          return current === undefined ? false : good.plans.advance(current, next, runs, options)
        },
      }),
    caughtBy: 'advance from another time than the stored one does nothing',
  },
  'creates the runs of a due time after moving the cursor, won or lost': {
    breakStore: (good) =>
      replaced(good, 'plans', {
        async advance(from, next, runs, options) {
          const won = await good.plans.advance(from, next, [], options)
          await good.runs.create(runs, options)
          return won
        },
      }),
    caughtBy: 'each due time is claimed exactly once',
  },
  'writes for any attempt': {
    breakStore: (good) => {
      const current = async (lease: Lease): Promise<Lease> => {
        const run = await good.runs.get(lease.runId, fresh())
        return run === undefined ? lease : { runId: run.id, attempt: run.attempt }
      }
      return replaced(good, 'runs', { save: async (lease, patch, options) => good.runs.save(await current(lease), patch, options) })
    },
    caughtBy: 'save is refused once another attempt has the run',
  },
  'forgets resources': {
    breakStore: (good) =>
      replaced(good, 'runs', { create: (requests, options) => good.runs.create(stripped(requests, 'resources'), options) }),
    caughtBy: 'each run is taken exactly once, and no limit is passed',
  },
  'gives a run to a worker that cannot do it': {
    breakStore: (good) => replaced(good, 'runs', { create: (requests, options) => good.runs.create(stripped(requests, 'needs'), options) }),
    caughtBy: 'a run goes only to a worker that offers all it needs',
  },
  'knows no overlap': {
    breakStore: (good) =>
      replaced(good, 'runs', { create: (requests, options) => good.runs.create(stripped(requests, 'overlap'), options) }),
    caughtBy: "'skip': while a run with the key is queued or running, another is written as skipped",
  },
  'takes what a caller looked at before somebody else took it': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        async take(worker, ttl, limit, options) {
          const seen = good.dump()
          await Promise.resolve()
          good.load(seen)
          return good.runs.take(worker, ttl, limit, options)
        },
      }),
    caughtBy: 'each run is taken exactly once, and no limit is passed',
  },
  'believes every lease, whatever its clock has said': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        async take(...given) {
          const copy = good.dump()
          ;(copy.state as StoreState).setFor.clear()
          good.load(copy)
          return good.runs.take(...given)
        },
      }),
    caughtBy: 'a lease lasts no longer than it was given for: who lives renews it, who is dead loses the run',
  },
  'saves in two steps': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        async save(lease, { reads, ...patch }, options) {
          await good.runs.save(lease, patch, options)
          if (reads !== undefined) await good.runs.save(lease, { reads }, options)
        },
      }),
    caughtBy: 'reads that are condemned or unknown, with the rest of the patch',
  },
  'finishes in two steps': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        async finish(lease, outcome, intents, events, options) {
          await good.outbox.add(events, options)
          await good.runs.finish(lease, outcome, intents, [], options)
        },
      }),
    caughtBy: 'finish is one transaction: a following run that cannot be leaves nothing of it',
  },
  'forgets when an intent may go': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        finish: (lease, outcome, intents, events, options) =>
          good.runs.finish(
            lease,
            outcome,
            intents.map(({ until, ...intent }) => intent),
            events,
            options,
          ),
      }),
    caughtBy: 'an intent with until stays until then',
  },
  'does not tell a worker of a cancel': {
    breakStore: (good) =>
      replaced(good, 'runs', {
        async renew(lease, ttl, progress, options) {
          const { leaseUntil } = await good.runs.renew(lease, ttl, progress, options)
          return { leaseUntil }
        },
      }),
    caughtBy: 'a running run is told at its next renewal, with the first reason',
  },
  'condemns against any version': {
    breakStore: (good) =>
      replaced(good, 'points', {
        async condemn(lease, repository, workload, _, manifests, options) {
          const { version } = await good.points.catalog(repository, workload, options)
          return good.points.condemn(lease, repository, workload, version, manifests, options)
        },
      }),
    caughtBy: 'condemn against an old version does nothing and answers false',
  },
  'rescans against any version': {
    breakStore: (good) =>
      replaced(good, 'points', {
        async sync(lease, repository, workload, _, add, remove, options) {
          const { version } = await good.points.catalog(repository, workload, options)
          return good.points.sync(lease, repository, workload, version, add, remove, options)
        },
      }),
    caughtBy: 'sync against an old version does nothing and answers false',
  },
  'keeps an event for each time it is written': {
    breakStore: (good) => {
      let count = 0
      return replaced(good, 'outbox', {
        add: (events, options) =>
          good.outbox.add(
            events.map(({ event }) => ({ id: `e${count++}`, event })),
            options,
          ),
      })
    },
    caughtBy: 'an id is kept once, also when it was delivered',
  },
  'keeps the reports of nodes for ever': {
    breakStore: (good) => {
      const reports: (NodeReport & { readonly at: number })[] = []
      return replaced(good, 'nodes', {
        async report(report, options) {
          const answer = await good.nodes.report(report, options)
          reports.push({ ...report, at: answer.now })
          return answer
        },
        async *history(node, since) {
          yield* reports.filter((report) => report.node === node && report.at >= since)
        },
      })
    },
    caughtBy: 'report drops what any node reported more than 7 days ago, and nothing younger',
  },
  'does not hear an abort': {
    breakStore: (good) => replaced(good, 'runs', { create: (requests) => good.runs.create(requests, fresh()) }),
    caughtBy: 'runs.create with an aborted signal rejects and leaves nothing',
  },
  'opens with the same epoch each time': {
    breakStore: (good) => ({ ...good, open: async (options) => ({ ...(await good.open(options)), epoch: 1 }) }),
    caughtBy: 'the id stays and the epoch grows by one at each open',
  },
}

async function failuresOf(breakStore: Breakage['breakStore'], reopenEmpty = false): Promise<readonly string[]> {
  const { runner, results } = collectingRunner()
  storeContract({
    ...runner,
    create: async () => {
      const clock = fakeClock()
      const make = () => memoryStore({ clock, ids: countingIds() })
      const store = breakStore(make())
      const reopen = async () => (reopenEmpty ? make() : store)
      const setBack = async (milliseconds: number) => clock.jump(-milliseconds)
      return { store, advance: clock.advance, setBack, another: async () => store, reopen, dispose: async () => {} }
    },
  })
  return (await results()).filter(({ error }) => error !== undefined).map(({ name }) => name)
}

describe('the store contract', () => {
  it('lets the memory store pass', async () => {
    expect(await failuresOf((good) => good)).toEqual([])
  })
  for (const [name, { breakStore, caughtBy }] of Object.entries(broken)) {
    it(`catches a store that ${name}`, async () => {
      const failures = await failuresOf(breakStore)
      expect(
        failures.some((failure) => failure.endsWith(caughtBy)),
        failures.join('\n'),
      ).toBe(true)
    })
  }
  it('catches a store that loses everything with its process', async () => {
    const failures = await failuresOf((good) => good, true)
    expect(failures).toContain('store: a new process > finds everything that was acknowledged, and a higher epoch')
  })
})
