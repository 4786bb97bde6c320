import type { ByteStream, CallOptions, Clock, Repository, StreamItem, Workload } from '@holdfast/core/spec'
import { type FakeClock, fakeClock, type MemoryRepository, memoryRepository } from '@holdfast/testkit'
import type { Manifest, ManifestItem } from '../src/model/manifest.ts'
import {
  type BackupSinkContext,
  createBackupSink,
  createProgressMeter,
  createRestoreSource,
  type Finding,
  type OpenSink,
  type ProgressMeter,
  type StoredItems,
  verifyPoint,
} from '../src/transfer/index.ts'

export const never = (): AbortSignal => new AbortController().signal

export const workload: Workload = { id: 'shop', name: 'shop', kind: 'volume' }

/** A repository in memory, a clock that stands still, and short ways to the three things under test. */
export interface TransferFixture {
  readonly repository: MemoryRepository
  readonly clock: FakeClock
  sink(context?: Partial<BackupSinkContext>): OpenSink
  /** Runs a backup to its end and gives its manifest. */
  backup(point: string, act: (open: OpenSink) => Promise<unknown>, context?: Partial<BackupSinkContext>): Promise<Manifest>
}

export function transferFixture(): TransferFixture {
  const clock = fakeClock()
  const repository = copying(memoryRepository({ clock }))
  const fixture: TransferFixture = {
    repository,
    clock,
    sink: (context = {}) =>
      createBackupSink({
        repository,
        folder: 'shop/p1',
        number: 1,
        compression: 'zstd',
        meter: createProgressMeter({ clock }),
        clock,
        stallMs: 60_000,
        signal: never(),
        ...context,
      }),
    async backup(point, act, context = {}) {
      const open = fixture.sink({ folder: `shop/${point}`, ...context })
      try {
        await act(open)
        return manifestOf(point, await open.finish({ signal: never() }), context.number ?? 1)
      } finally {
        await open[Symbol.asyncDispose]()
      }
    },
  }
  return fixture
}

export function manifestOf(
  point: string,
  { items, bytes }: StoredItems | { items: readonly ManifestItem[]; bytes: StoredItems['bytes'] },
  number = 1,
): Manifest {
  const parents = items.flatMap((item) => (item.type === 'disk' && item.parent !== undefined ? [[item.disk.key, item.parent]] : []))
  return {
    formatVersion: 1,
    repositoryId: 'r1',
    folder: `shop/${point}`,
    number,
    point,
    createdAt: '2026-11-20T00:00:00.000Z',
    due: '2026-11-20T00:00:00.000Z',
    workload: { ...workload, provider: 'docker' },
    providerKind: 'docker',
    runKey: `key-${point}`,
    attempt: 1,
    sequence: 1,
    parents: Object.fromEntries(parents),
    items,
    description: {},
    consistency: 'crash',
    skipped: [],
    bytes,
    warnings: [],
    software: { name: 'holdfast', version: '0.0.0' },
  }
}

/** Keeps what it is lent, whatever kind of view the chunks are. */
function copying(repository: MemoryRepository): MemoryRepository {
  async function* copies(bytes: ByteStream): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of bytes) yield new Uint8Array(chunk)
  }
  return { ...repository, put: (path, bytes, options) => repository.put(path, copies(bytes), options) }
}

interface ReadOptions {
  readonly meter?: ProgressMeter
  /** Everything will be read. */
  readonly all?: boolean
  readonly repository: Repository
  readonly clock: Clock
  readonly signal?: AbortSignal
  readonly ancestors?: readonly Manifest[]
}

const contextOf = (
  point: Manifest,
  { repository, clock, signal = never(), ancestors = [], all = false, meter = createProgressMeter({ clock }) }: ReadOptions,
) => ({
  all,
  repository,
  point,
  ancestors: new Map(ancestors.map((manifest) => [manifest.point, manifest])),
  meter,
  clock,
  stallMs: 60_000,
  signal,
})

export const sourceOf = (point: Manifest, options: ReadOptions) => createRestoreSource({ ...contextOf(point, options), workload })

export async function findingsOf(point: Manifest, options: ReadOptions): Promise<readonly Finding[]> {
  return collect(verifyPoint(contextOf(point, options)))
}

/** The bytes in chunks; the buffer that was given out is overwritten before the next one, as fast producers do. */
export async function* chunked(bytes: Uint8Array, chunkBytes = 10_000): AsyncGenerator<Uint8Array, void, undefined> {
  const lent = Buffer.alloc(chunkBytes)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const part = bytes.subarray(at, at + chunkBytes)
    lent.set(part)
    yield lent.subarray(0, part.length)
    lent.fill(0xee)
  }
}

export function tarItem(name: string, bytes: Uint8Array, chunkBytes?: number): StreamItem {
  return { name, format: 'tar', open: async () => chunked(bytes, chunkBytes) }
}

export function bytesItem(name: string, bytes: Uint8Array): StreamItem {
  return { name, format: 'bytes', open: async () => chunked(bytes) }
}

export async function bytesOfStream(stream: ByteStream): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of stream) parts.push(Buffer.from(chunk))
  return Buffer.concat(parts)
}

/** A stream that gives some bytes and then hangs until it is returned, disposed or its signal aborts; what happened to it is told. */
export function hangingStream(bytes: Uint8Array, { signal }: CallOptions) {
  const seen = { returned: false, disposed: false, aborted: false }
  const stream: ByteStream & { readonly seen: typeof seen } = {
    seen,
    [Symbol.asyncIterator]() {
      let given = false
      return {
        next: () => {
          if (!given) {
            given = true
            return Promise.resolve({ done: false as const, value: bytes })
          }
          return new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              seen.aborted = true
              reject(signal.reason)
            }),
          )
        },
        return: async () => {
          seen.returned = true
          return { done: true as const, value: undefined }
        },
      }
    },
    async [Symbol.asyncDispose]() {
      seen.disposed = true
    },
  }
  return stream
}

export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}
