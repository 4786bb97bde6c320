import assert from 'node:assert/strict'
import {
  type CallOptions,
  codeOf,
  type ErrorCode,
  type Lease,
  type ManifestRef,
  type PointRow,
  type Run,
  type RunRequest,
  type Store,
  type StoredIntent,
} from '@holdfast/core/spec'
import type { ContractRunner } from '../contract-runner.ts'

/** A store with nothing in it, and what a test may do to it. */
export interface StoreHandle {
  /** Not opened yet. */
  readonly store: Store
  /** Moves the store's clock on. */
  advance(milliseconds: number): Promise<void>
  /** Sets the store's clock back. Without it, what a store does then is not tested. */
  setBack?(milliseconds: number): Promise<void>
  /** Another store over the same data, as another process would have it; not opened yet. The suite disposes it. */
  another?(): Promise<Store>
  /** Ends the process that holds the store, without a farewell if possible, and gives a new store over the same data, not opened yet. */
  reopen?(): Promise<Store>
  /** Cleans up; called once after each test. */
  dispose(): Promise<void>
}

/** What {@link storeContract} needs: a test runner, and empty stores. */
export interface StoreContractOptions extends ContractRunner {
  /** Called once per test. */
  create(): Promise<StoreHandle>
}

/** What each test is given: an open store and a signal that never aborts. */
export interface StoreTest extends StoreHandle {
  readonly options: CallOptions
}

/** Registers one test on a fresh, open store. */
export type StoreTestCase = (name: string, body: (test: StoreTest) => Promise<void>) => void

export function storeTestCase({ it, create }: StoreContractOptions): StoreTestCase {
  return (name, body) =>
    it(name, async () => {
      const handle = await create()
      const options = { signal: new AbortController().signal }
      try {
        await handle.store.open(options)
        await body({ ...handle, options })
      } finally {
        await handle.dispose()
      }
    })
}

export const request = (key: string, patch: Partial<RunRequest> = {}): RunRequest => ({
  key,
  operation: 'backup',
  delay: 0,
  priority: 0,
  maxFailures: 3,
  needs: [],
  resources: [],
  input: { asked: key },
  ...patch,
})

export const repository = 'main'
export const workload = 'docker/shop-db'
export const manifest = (folder: string, number = 1): ManifestRef => ({ repository, folder, number })
export const intent = (id: string, patch: Partial<StoredIntent> = {}): StoredIntent => ({
  id,
  attempt: 1,
  provider: 'docker',
  kind: 'remove-volume',
  data: { volume: id },
  kept: false,
  ...patch,
})

export const point = (folder: string, patch: Partial<PointRow> = {}): PointRow => ({
  repository,
  folder,
  number: 1,
  pointId: folder,
  workload,
  parents: [],
  sequence: 1,
  createdAt: 1_790_000_000_000,
  summary: { bytes: 42, disks: ['disk-0'] },
  ...patch,
})

/** A long lease: tests that need an end say so. */
export const leaseMs = 60_000

export const leaseOf = (run: Run): Lease => ({ runId: run.id, attempt: run.attempt })

/** What `take` gives one worker that can do everything the tests ask for. */
export const takeAll = ({ store, options }: StoreTest, limit = 100, worker = 'worker-1'): Promise<readonly Run[]> =>
  store.runs.take({ id: worker, offers: [] }, leaseMs, limit, options)

/** A run that somebody works on. */
export async function runningRun(test: StoreTest, key: string, patch: Partial<RunRequest> = {}): Promise<Run> {
  const [created] = await test.store.runs.create([request(key, { workload, ...patch })], test.options)
  assert.ok(created, 'create answers each request')
  const taken = await test.store.runs.take({ id: 'worker-1', offers: created.run.needs, only: [created.run.id] }, leaseMs, 1, test.options)
  assert.equal(taken.length, 1, `run ${key} can be taken`)
  return taken[0] as Run
}

export async function getRun({ store, options }: StoreTest, idOrKey: string): Promise<Run> {
  const run = await store.runs.get(idOrKey, options)
  assert.ok(run, `run ${idOrKey} is there`)
  return run
}

/** Puts points into the catalog by a run that succeeds with them. */
export async function commitPoints(test: StoreTest, points: readonly PointRow[], key = `run-of-${points[0]?.folder}`): Promise<void> {
  const run = await runningRun(test, key)
  await test.store.runs.finish(leaseOf(run), { state: 'succeeded', result: null, points, follow: [] }, [], [], test.options)
}

/** Condemns points of the usual repository and workload. */
export async function condemnPoints(test: StoreTest, manifests: readonly ManifestRef[], lease?: Lease): Promise<void> {
  const holder = lease ?? leaseOf(await runningRun(test, `prune-${manifests[0]?.folder}-${manifests[0]?.number}`))
  const { version } = await test.store.points.catalog(repository, workload, test.options)
  assert.equal(await test.store.points.condemn(holder, repository, workload, version, manifests, test.options), true)
}

export const versionOf = async ({ store, options }: StoreTest): Promise<number> =>
  (await store.points.catalog(repository, workload, options)).version

export async function collect<T>(list: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const entry of list) found.push(entry)
  return found
}

export async function rejectsWith(code: ErrorCode, call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.equal(codeOf(error), code, `${error instanceof Error ? error.message : String(error)}`)
    return true
  })
}

export const keysOf = (runs: readonly Run[]): string[] => runs.map((run) => run.key)
