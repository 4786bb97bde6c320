import type { ByteCounts, Compression, ManifestItem } from '../model/manifest.ts'
import type { BackupSink, BlocksItem, Disk, Receipt, StreamItem } from '../spec/backup.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import { abortError } from '../spec/helpers/abort.ts'
import type { Repository } from '../spec/repository.ts'
import { type BaseDisk, planDisk, storeDisk } from './blocks-item.ts'
import { bytesOf, type Flow } from './chunks.ts'
import { createNameClaims, type NameClaims, sumsFileName } from './item-names.ts'
import type { ProgressMeter } from './progress-meter.ts'
import { putFile, type Target } from './put-file.ts'
import type { DiskNames } from './put-image.ts'
import { createScope, type Scope } from './scope.ts'
import type { Scratch } from './scratch.ts'
import { sha256SumsOf } from './sha256-sums.ts'
import { createSlots, type Slots } from './slots.ts'
import { checkStreamItem, storeStream, streamNames } from './stream-item.ts'
import { createThrottle } from './throttle.ts'
import { storeVmdkIncrement, type VmdkItem } from './vmdk-item.ts'

export interface BackupSinkContext extends CallOptions {
  readonly repository: Repository
  /** `<workload folder>/<point folder>`, as in the manifest. */
  readonly folder: string
  readonly number: number
  readonly compression: Compression
  /** Absent: everything is full. */
  readonly base?: readonly BaseDisk[]
  /** Why there is no base, for the manifest. */
  readonly fullReason?: string
  /**
   * Where what must be known before it can be streamed lies meanwhile. With it the cluster sums of a `vmdk` stream are made while it passes, and of a disk that has a base only what has
   * changed is kept. Absent: such streams are kept as they come, and nothing can build on them.
   */
  readonly scratch?: Scratch
  readonly meter: ProgressMeter
  readonly clock: Clock
  /** Milliseconds without a byte after which an item fails with STALLED. */
  readonly stallMs: number
  /** Over all items together. Absent: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** Items that are open at once. Default 4. */
  readonly parallel?: number
}

/** What a backup stored, for its manifest. */
export interface StoredItems {
  /** In the order in which the provider gave them. */
  readonly items: readonly ManifestItem[]
  readonly bytes: ByteCounts
}

/** The sink of one attempt. Dispose ends and awaits whatever still runs: do it before the attempt is settled. */
export interface OpenSink extends AsyncDisposable {
  readonly sink: BackupSink
  /**
   * After the provider has returned: writes `SHA256SUMS` for what was kept as it came, and tells what is stored. Rejects with the failure of an item, and
   * when an item is still being put. Once.
   */
  finish(options: CallOptions): Promise<StoredItems>
}

interface Stored {
  readonly entry: ManifestItem
  readonly provisioned: number
  readonly used: number
}

/** What the items of one sink share. */
interface SinkState {
  readonly context: BackupSinkContext
  readonly target: Target
  readonly flow: Flow
  readonly slots: Slots
  readonly claims: NameClaims
  /** Ends everything that runs. */
  readonly whole: AbortController
  readonly keys: Set<string>
  readonly running: Set<Promise<unknown>>
  /** By the order in which the items were given. */
  readonly results: (Stored | undefined)[]
  transferred: number
  /** Why nothing more is taken. */
  closed: { readonly error: unknown } | undefined
  detach(): void
}

/**
 * Where a provider puts a backup. Everything is put durably under the number's folder and nothing is ever put twice; a failed item fails
 * the sink. Constant memory: per open item about 4 MiB, with zstd 15 MiB.
 */
export function createBackupSink(context: BackupSinkContext): OpenSink {
  const state = createState(context)
  const { signal, folder } = context
  const stop = () => close(state, abortError(signal))
  state.detach = () => signal.removeEventListener('abort', stop)
  if (signal.aborted) stop()
  else signal.addEventListener('abort', stop, { once: true })
  return {
    sink: { blocks: (item) => blocks(state, item), stream: (item) => stream(state, item) },
    finish: (options) => finish(state, options),
    async [Symbol.asyncDispose]() {
      close(state, new HoldfastError('ABORTED', `${folder}: the backup was given up`))
      await Promise.allSettled(state.running)
    },
  }
}

function createState(context: BackupSinkContext): SinkState {
  const { repository, folder, number, clock, meter, bytesPerSecond } = context
  const throttle = createThrottle({ clock, bytesPerSecond })
  const state: SinkState = {
    context,
    target: { repository, folder, number },
    flow: {
      pass(bytes, options) {
        state.transferred += bytes
        meter.add(bytes)
        return throttle.pass(bytes, options)
      },
    },
    slots: createSlots(context.parallel ?? 4),
    claims: createNameClaims(),
    whole: new AbortController(),
    keys: new Set(),
    running: new Set(),
    results: [],
    transferred: 0,
    closed: undefined,
    detach() {},
  }
  return state
}

function close(state: SinkState, error: unknown): void {
  if (state.closed !== undefined) return
  state.closed = { error }
  state.detach()
  state.whole.abort(error)
}

function checkOpen({ closed }: SinkState, what: string): void {
  if (closed === undefined) return
  const message = `${what}: this backup takes nothing more, it has finished or failed`
  throw new HoldfastError('ABORTED', message, { cause: closed.error, retryable: false })
}

/** One item, from the wait for a slot to its last durable byte. */
async function store<T extends Stored>(state: SinkState, what: string, act: (scope: Scope) => Promise<T>): Promise<T> {
  const { clock, stallMs } = state.context
  const place = state.results.push(undefined) - 1
  const scope = createScope({ signal: state.whole.signal, clock, what, stallMs })
  const work = inSlot(state, scope, act)
  state.running.add(work)
  try {
    const stored = await work
    state.results[place] = stored
    return stored
  } catch (error) {
    close(state, error)
    throw error
  } finally {
    state.running.delete(work)
    scope.close()
  }
}

async function inSlot<T>(state: SinkState, scope: Scope, act: (scope: Scope) => Promise<T>): Promise<T> {
  const resume = scope.pause()
  const leave = await state.slots.enter(scope)
  resume()
  try {
    state.context.meter.step(`storing ${scope.what}`)
    return await act(scope)
  } finally {
    leave()
  }
}

async function blocks(state: SinkState, item: BlocksItem): Promise<void> {
  const { context, keys, claims, target, flow } = state
  const { disk } = item
  checkOpen(state, `disk ${disk.key}`)
  if (keys.has(disk.key)) throw new HoldfastError('EXISTS', `disk ${disk.key} was given twice`)
  const base = baseOf(context, disk)
  const plan = planDisk(item, base, context.fullReason ?? 'there is no base')
  keys.add(disk.key)
  const names = diskNames(claims)
  claims.claim([names.file, names.sums])
  await store(state, `disk ${disk.name}`, async (scope) => {
    const { entry, usedBytes } = await storeDisk(item, plan, names, target, scope, flow, context.meter.expect)
    return { entry, provisioned: disk.size, used: usedBytes }
  })
}

function diskNames({ free }: NameClaims): DiskNames {
  for (let index = 0; ; index++) {
    const names = { file: `disk-${index}.qcow2`, sums: `disk-${index}.sums` }
    if (free(names.file) && free(names.sums)) return names
  }
}

async function stream(state: SinkState, item: StreamItem): Promise<Receipt> {
  const { context, claims, target, flow } = state
  checkOpen(state, `item ${item.name}`)
  checkStreamItem(item)
  if (item.format === 'vmdk') {
    const increment = await incrementOf(state, item)
    if (increment !== undefined) return increment
  }
  const names = streamNames(item, context.compression, context.scratch !== undefined)
  claims.claim([names.file, names.index, names.sums].filter((name) => name !== undefined))
  const stored = await store(state, item.name, async (scope) => {
    const { entry, receipt, usedBytes } = await storeStream(item, names, target, scope, flow, context.scratch)
    return { entry, receipt, provisioned: item.format === 'vmdk' ? item.disk.size : entry.size, used: usedBytes }
  })
  return stored.receipt
}

/** Of a stream of a disk that has a base only what differs is kept; undefined: it is to be kept as it comes. */
async function incrementOf(state: SinkState, item: VmdkItem): Promise<Receipt | undefined> {
  const { context, keys, claims, target, flow } = state
  const { disk } = item
  if (keys.has(disk.key)) throw new HoldfastError('EXISTS', `disk ${disk.key} was given twice`)
  const { base, ...plan } = planDisk({ disk, covers: 'unmapped' }, baseOf(context, disk), '')
  keys.add(disk.key)
  const { scratch } = context
  if (base === undefined || scratch === undefined) return undefined
  const names = diskNames(claims)
  claims.claim([names.file, names.sums])
  const stored = await store(state, item.name, async (scope) => {
    const { usedBytes, ...made } = await storeVmdkIncrement(item, { ...plan, base }, names, target, scope, flow, scratch)
    return { ...made, provisioned: disk.size, used: usedBytes }
  })
  return stored.receipt
}

const baseOf = ({ base }: BackupSinkContext, { key }: Disk): BaseDisk | undefined => base?.find((each) => each.key === key)

async function finish(state: SinkState, options: CallOptions): Promise<StoredItems> {
  const { context, running } = state
  if (state.closed !== undefined) throw state.closed.error
  if (running.size > 0) {
    const message = `${context.folder}: the backup returned while ${running.size} of its items were still being put`
    const error = new HoldfastError('INTERNAL', message, {
      remedy: 'This is an error of the provider: it must await every item. Report it.',
    })
    close(state, error)
    throw error
  }
  close(state, new HoldfastError('ABORTED', `${context.folder}: the backup was finished before`))
  const stored = state.results.filter((result) => result !== undefined)
  const items = stored.map(({ entry }) => entry)
  const sumsSize = await putSums(state, items, options)
  return { items, bytes: byteCounts(stored, state.transferred, sumsSize) }
}

async function putSums({ context, target }: SinkState, items: readonly ManifestItem[], options: CallOptions): Promise<number> {
  const content = sha256SumsOf(items, context.number)
  if (content === undefined) return 0
  const scope = createScope({ signal: options.signal, clock: context.clock, what: sumsFileName, stallMs: context.stallMs })
  try {
    const { size } = await putFile(target, sumsFileName, bytesOf(Buffer.from(content)), scope)
    return size
  } finally {
    scope.close()
  }
}

function byteCounts(stored: readonly Stored[], transferred: number, sumsSize: number): ByteCounts {
  const sizes = stored.map(
    ({ entry }) => entry.file.size + (entry.sums?.size ?? 0) + (entry.type === 'disk' ? 0 : (entry.index?.size ?? 0)),
  )
  const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0)
  return {
    provisioned: sum(stored.map(({ provisioned }) => provisioned)),
    used: sum(stored.map(({ used }) => used)),
    transferred,
    stored: sum(sizes) + sumsSize,
  }
}
