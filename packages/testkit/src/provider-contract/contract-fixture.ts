import assert from 'node:assert/strict'
import type { BackupResult, Json, Mark, Provider, RestoreSource, Workload } from '@holdfast/core/spec'
import { type CollectedItem, collectingSink } from '../collecting-sink.ts'
import { jsonCopy, type MemoryRun } from '../memory-run-context.ts'
import { sourceFrom } from '../memory-source.ts'
import { withinTime } from '../within-time.ts'
import { type Content, contentOf, ensure, sameThings, saysAborted } from './contract-checks.ts'
import { type ContractRun, contractRun } from './contract-run.ts'
import type { PlatformThing, ProviderContractOptions, ProviderUnderTest } from './provider-under-test.ts'
import { type SaidWords, saidWords } from './said-words.ts'

type Use = 'backup' | 'restore' | 'probe'

/** What the tests of the provider suite work with. */
export interface ProviderFixture extends ProviderUnderTest, Pick<SaidWords, 'see'> {
  readonly replaces: boolean
  /** What a person would write. */
  readonly written: { readonly [use in Use]: Json }
  /** What the provider's `parseOptions` makes of it, as the engine hands it to backup and restore. */
  parsed(use: Use): Json
  readonly signal: AbortSignal
  readonly newName: string
  /** A run of the given attempt whose notes, steps, intents and errors are searched for secrets at the end of the test. */
  newRun(options?: { readonly attempt?: number; readonly run?: string; readonly refuseIntent?: number }): ContractRun
  workloadById(id: string): Promise<Workload>
  /** One backup that succeeds; its intents are still open. */
  backup(workload?: string, run?: ContractRun): Promise<Backup>
  sourceOf(backup: Backup): RestoreSource
  contentOf(items: readonly CollectedItem[]): Content
  /** The error that the promise rejects with, in time. Fails when it does not. */
  rejection(promise: Promise<unknown>, what: string): Promise<unknown>
  /** Fails unless the promise rejects in time and says that this signal was aborted. */
  abortion(promise: Promise<unknown>, signal: AbortSignal, what: string): Promise<void>
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
  const said = saidWords()
  try {
    await body(fixtureOf(options, made, said))
    said.noneOf(options.secrets ?? [])
  } finally {
    await made.provider[Symbol.asyncDispose]()
    await made[Symbol.asyncDispose]?.()
  }
}

function fixtureOf(options: ProviderContractOptions, made: ProviderUnderTest, said: SaidWords): ProviderFixture {
  const signal = new AbortController().signal
  const { provider } = made
  const written = { backup: options.backupOptions ?? {}, restore: options.restoreOptions ?? {}, probe: options.probeOptions ?? {} }
  const soon = <T>(promise: Promise<T>, what: string) => withinTime(promise, options.soonMs ?? 5000, what)
  const parsed = (use: Use): Json => (provider.parseOptions ? jsonCopy(provider.parseOptions(use, written[use])) : written[use])

  function newRun({ attempt = 1, run = 'contract', refuseIntent }: Parameters<ProviderFixture['newRun']>[0] = {}): ContractRun {
    const mark: Mark = { system: 'testkit', plan: 'contract', run, attempt }
    return contractRun({ provider, mark, refuseIntent, said })
  }
  async function workloadById(id: string): Promise<Workload> {
    for await (const workload of provider.workloads({ signal, id })) if (workload.id === id) return workload
    throw new Error(`workload "${id}" is not in the inventory`)
  }
  async function backup(id = made.workload, run = newRun()): Promise<Backup> {
    const { sink, items } = collectingSink({ signal: run.run.signal })
    const result = jsonCopy(await provider.backup({ workload: id, options: parsed('backup') }, sink, run.run))
    said.see('the result of the backup', result)
    return { workload: await workloadById(id), result, items, run }
  }
  async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
    const error = await soon(outcomeOf(promise), what)
    ensure(error !== undefined, `${what}: did not reject`)
    said.seeError(error, what)
    return error
  }
  return {
    provider,
    another: () => made.another(),
    workload: made.workload,
    things: () => made.things(),
    see: said.see,
    replaces: options.replaces ?? false,
    written,
    parsed,
    signal,
    newName: options.newName?.() ?? 'contract-copy',
    newRun,
    workloadById,
    backup,
    sourceOf: ({ workload, result, items }) => sourceFrom(items, { workload, kind: provider.kind, result }),
    contentOf: (items) => contentOf(items, options.contentOf && ((item) => options.contentOf?.(item))),
    rejection,
    abortion: async (promise, aborted, what) => saysAborted(await rejection(promise, what), aborted, what),
    soon,
    sameAs: async (before, when) => sameThings(await made.things(), before, when),
  }
}

/** What it rejects with, or undefined. */
export const outcomeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error ?? new Error('rejected with nothing'),
  )

/** Fails unless these items hold what the others hold. */
export function sameContent(
  fixture: ProviderFixture,
  items: readonly CollectedItem[],
  others: readonly CollectedItem[],
  message: string,
): void {
  const hint = '; what may differ in equal content, say a time in a dump, is left out with the option contentOf'
  assert.deepEqual(fixture.contentOf(items).parts, fixture.contentOf(others).parts, message + hint)
}

/** One attempt for each intent that it asks for, which cannot be stored then, and one in which all can. After each the platform is as it was. */
export async function refuseEachIntent(
  fixture: ProviderFixture,
  what: 'backup' | 'restore' | 'snapshot',
  attempt: (run: ContractRun) => Promise<unknown>,
): Promise<void> {
  const before = await fixture.things()
  for (let number = 1; ; number++) {
    const run = fixture.newRun({ run: `refused${number}`, refuseIntent: number })
    const error = await fixture.soon(outcomeOf(attempt(run)), `${what}, intent ${number} refused`)
    ensure(error !== undefined || !run.refused, `intent ${number} could not be stored, and the ${what} went on`)
    if (error !== undefined && !run.refused) throw error // what it says of itself; asking for one intent less would end nowhere
    await run.undoOpen({ committed: error === undefined && what === 'backup' })
    await fixture.sameAs(before, error === undefined ? `after the ${what}` : `after intent ${number} could not be stored`)
    if (error === undefined) return
  }
}

/** Every intent, newest first, by another instance and through JSON, as another node does it. */
export async function undoByAnother(another: Provider, run: MemoryRun): Promise<void> {
  for (const intent of run.intents.toReversed()) await another.undo(jsonCopy(intent), { signal: new AbortController().signal })
}
