import assert from 'node:assert/strict'
import {
  type BackupResult,
  codeOf,
  HoldfastError,
  type Json,
  type Mark,
  type Provider,
  type RestoreSource,
  type Workload,
} from '@holdfast/core/spec'
import { sha256 } from '../bytes.ts'
import { type CollectedItem, type CollectingSink, collectingSink } from '../collecting-sink.ts'
import { jsonCopy, type MemoryRun, memoryRunContext } from '../memory-run-context.ts'
import { sourceFrom } from '../memory-source.ts'
import { withinTime } from '../within-time.ts'
import type { PlatformThing, ProviderContractOptions, ProviderUnderTest } from './provider-under-test.ts'

/** What the tests of the provider suite work with. */
export interface ProviderFixture extends ProviderUnderTest {
  readonly options: Required<Pick<ProviderContractOptions, 'replaces' | 'soonMs'>> & { readonly backup: Json; readonly restore: Json }
  readonly signal: AbortSignal
  readonly newName: string
  /** A run of the given attempt whose notes, steps, intents and errors are searched for secrets at the end of the test. */
  newRun(options?: { readonly attempt?: number; readonly run?: string; readonly refuseIntent?: number }): MemoryRun
  workloadById(id: string): Promise<Workload>
  /** One backup that succeeds; its intents are still open. */
  backup(workload?: string, run?: MemoryRun): Promise<Backup>
  sourceOf(backup: Backup): RestoreSource
  /** The error that the promise rejects with, in time. Fails when it does not. */
  rejection(promise: Promise<unknown>, what: string): Promise<unknown>
  soon<T>(promise: Promise<T>, what: string): Promise<T>
  /** Fails, with names, unless the platform is as it was. */
  sameAs(before: readonly PlatformThing[], when: string): Promise<void>
}
export interface Backup {
  readonly workload: Workload
  readonly result: BackupResult
  readonly items: readonly CollectedItem[]
  readonly run: MemoryRun
}
export type ProviderTests = { readonly [name: string]: (fixture: ProviderFixture) => Promise<void> }

export async function withFixture(options: ProviderContractOptions, body: (fixture: ProviderFixture) => Promise<void>): Promise<void> {
  const made = await options.create()
  const runs: MemoryRun[] = []
  const seen: string[] = []
  try {
    await body(fixtureOf(options, made, runs, seen))
    for (const { notes, steps, intended } of runs) seen.push(JSON.stringify([notes, steps, intended]))
    for (const secret of options.secrets ?? []) {
      const where = seen.find((text) => text.includes(secret))
      assert.equal(where?.replaceAll(secret, '<secret>'), undefined, 'a secret left the provider')
    }
  } finally {
    await made.provider[Symbol.asyncDispose]()
    await made[Symbol.asyncDispose]?.()
  }
}

function fixtureOf(options: ProviderContractOptions, made: ProviderUnderTest, runs: MemoryRun[], seen: string[]): ProviderFixture {
  const signal = new AbortController().signal
  const soonMs = options.soonMs ?? 5000
  const backupOptions = options.backupOptions ?? {}
  const soon = <T>(promise: Promise<T>, what: string) => withinTime(promise, soonMs, what)

  function newRun({ attempt = 1, run = 'contract', refuseIntent }: Parameters<ProviderFixture['newRun']>[0] = {}): MemoryRun {
    const mark: Mark = { system: 'testkit', plan: 'contract', run, attempt }
    const context = memoryRunContext({ provider: made.provider, mark, ...(refuseIntent !== undefined && { refuseIntent }) })
    runs.push(context)
    return context
  }
  async function workloadById(id: string): Promise<Workload> {
    for await (const workload of made.provider.workloads({ signal, id })) if (workload.id === id) return workload
    throw new Error(`workload "${id}" is not in the inventory`)
  }
  async function backup(id = made.workload, run = newRun()): Promise<Backup> {
    const { sink, items }: CollectingSink = collectingSink({ signal: run.run.signal })
    const result = jsonCopy(await made.provider.backup({ workload: id, options: backupOptions }, sink, run.run))
    seen.push(JSON.stringify(result))
    return { workload: await workloadById(id), result, items, run }
  }
  async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
    const error = await soon(
      promise.then(
        () => undefined,
        (reason: unknown) => reason ?? new Error('rejected with nothing'),
      ),
      what,
    )
    assert.ok(error !== undefined, `${what}: did not reject`)
    seen.push(wordsOf(error))
    return error
  }
  return {
    provider: made.provider,
    another: () => made.another(),
    workload: made.workload,
    things: () => made.things(),
    options: { replaces: options.replaces ?? false, soonMs, backup: backupOptions, restore: options.restoreOptions ?? {} },
    signal,
    newName: options.newName?.() ?? 'contract-copy',
    newRun,
    workloadById,
    backup,
    sourceOf: ({ workload, result, items }) => sourceFrom(items, { workload, kind: made.provider.kind, result }),
    rejection,
    soon,
    sameAs: async (before, when) => assert.deepEqual(sorted(await made.things()), sorted(before), `the platform is not as it was ${when}`),
  }
}

/** Everything an error says, to whoever reads it. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const details = 'details' in error ? JSON.stringify(error.details) : ''
  return `${error.message} ${error.stack} ${details} ${error.cause === undefined ? '' : wordsOf(error.cause)}`
}

const sorted = (things: readonly PlatformThing[]): readonly PlatformThing[] =>
  [...things].sort((one, other) => (one.id < other.id ? -1 : 1))

/** The mark of everything that is there and was not there before must be this one. */
export function onlyMarked(before: readonly PlatformThing[], now: readonly PlatformThing[], mark: Mark, when: string): void {
  const known = new Set(before.map(({ id }) => id))
  for (const thing of now)
    if (!known.has(thing.id)) assert.deepEqual(thing.mark, mark, `"${thing.id}", made ${when}, does not carry the run's mark`)
}

/** Every disk, VMDK and archive as name-less hashes: what must be equal in a copy. Descriptions and settings may name the machine. */
export function dataOf(items: readonly CollectedItem[]): readonly string[] {
  return items
    .filter((item) => item.type === 'disk' || item.format !== 'bytes')
    .map((item) => `${item.type === 'disk' ? item.disk.key : item.format} ${sha256(item.bytes)}`)
    .sort()
}

export function hasCode(error: unknown, code: string, what: string): void {
  const said = error instanceof Error ? error.message : String(error)
  assert.equal(codeOf(error), code, `${what}: the code of "${said}"`)
  assert.ok(HoldfastError.isInstance(error), `${what}: "${said}" is not a HoldfastError`)
}

/** Every intent, newest first, by another instance and through JSON, as another node does it. */
export async function undoByAnother(another: Provider, run: MemoryRun): Promise<void> {
  for (const intent of run.intents.toReversed()) await another.undo(jsonCopy(intent), { signal: new AbortController().signal })
}
