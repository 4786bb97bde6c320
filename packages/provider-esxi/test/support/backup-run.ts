import type { BackupRequest, BackupResult, BackupSink, Json, Provider } from '@holdfast/core/spec'
import { openStreamOptimizedVmdk } from '@holdfast/disk-image'
import { type CollectedItem, collectingSink, type MemoryRun, memoryBlocks, memoryRunContext, readBlocks } from '@holdfast/testkit'
import { backupMachine } from '../../src/backup/backup-machine.ts'
import { undoSnapshot } from '../../src/snapshots/undo-snapshot.ts'
import type { ExportHost } from './export-host.ts'

const never = { signal: new AbortController().signal }

/** One backup of a machine without an engine. */
export interface BackupRun {
  readonly memory: MemoryRun
  readonly items: readonly CollectedItem[]
  readonly names: readonly string[]
  start(options?: Json, request?: Partial<BackupRequest>): Promise<BackupResult>
  /** Bytes of a file. */
  bytes(name: string): Uint8Array
  text(name: string): string
  /** What a guest would see of the disk in a file. */
  disk(name: string): Promise<Uint8Array>
}

export function backupRun(
  host: ExportHost,
  workload: string,
  { sink, ...collecting }: Parameters<typeof collectingSink>[0] & { readonly sink?: (inner: BackupSink) => BackupSink } = {},
): BackupRun {
  const provider = { undo: (intent, options) => undoSnapshot(host.connection, intent, options) } as Pick<Provider, 'undo'>
  const memory = memoryRunContext({ provider: provider as Provider })
  const collected = collectingSink({ signal: memory.run.signal, ...collecting })
  const bytes = (name: string): Uint8Array => {
    const found = collected.items.find((item) => item.type === 'stream' && item.name === name)
    if (found === undefined) throw new Error(`there is no ${name}`)
    return found.bytes
  }
  return {
    memory,
    items: collected.items,
    get names() {
      return collected.items.map((item) => (item.type === 'stream' ? item.name : item.disk.key))
    },
    start: (options = {}, request = {}) =>
      backupMachine(host.connection, { workload, options, ...request }, sink?.(collected.sink) ?? collected.sink, memory.run),
    bytes,
    text: (name) => Buffer.from(bytes(name)).toString('utf8'),
    disk: async (name) => readBlocks(await openStreamOptimizedVmdk(memoryBlocks(bytes(name)), never), never),
  }
}
