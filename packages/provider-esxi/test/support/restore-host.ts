import type { Mark, RestoreRequest, RestoreResult, RestoreSource } from '@holdfast/core/spec'
import type { SimulatedMachine } from '@holdfast/testkit'
import { type EsxiSimulatorOptions, type MemoryRun, memoryRunContext, readBlocks } from '@holdfast/testkit'
import { restoreMachine } from '../../src/restore/restore-machine.ts'
import { type SimulatedConnection, simulatedConnection } from './simulated-connection.ts'
import { undoOn } from './undo-intents.ts'

export const mark: Mark = { system: 'test', plan: 'nightly', run: '0123456789abcdef', attempt: 1 }
const never = new AbortController().signal

/** A simulated host that machines are restored on. */
export interface RestoreHost extends SimulatedConnection {
  run(own?: Partial<Mark>): MemoryRun
  restore(source: RestoreSource, run: MemoryRun, request?: Partial<RestoreRequest>): Promise<RestoreResult>
  /** Names of all machines there are. */
  names(): readonly string[]
  count(method: string): number
}

export async function restoreHost(options: EsxiSimulatorOptions = {}): Promise<RestoreHost> {
  const host = await simulatedConnection(options)
  const { connection, simulator } = host
  return {
    ...host,
    run: (own) => memoryRunContext({ provider: undoOn(connection), mark: { ...mark, ...own } }),
    restore: (source, { run }, request) =>
      restoreMachine(connection, { purpose: 'recover', name: 'web', start: false, options: {}, ...request }, source, run),
    names: () => simulator.machines().map(({ name }) => name),
    count: (method) => simulator.calls.filter((name) => name === method).length,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

/** What is on the disks of a machine. */
export async function disksOf({ hardware }: SimulatedMachine): Promise<readonly Uint8Array[]> {
  const disks: Uint8Array[] = []
  for (const { content } of hardware.disks) disks.push(await readBlocks(content.open(), { signal: never }))
  return disks
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (outcome instanceof Error) return outcome
  throw new Error('it did not reject')
}
