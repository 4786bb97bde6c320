import type { ByteCounts, Compression, ManifestItem } from '../model/manifest.ts'
import type { BackupSink, BlocksItem, Receipt, StreamItem } from '../spec/backup.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Clock } from '../spec/clock.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Repository } from '../spec/repository.ts'
import { type BaseDisk, type DiskNames, planDisk, storeDisk } from './blocks-item.ts'
import { bytesOf } from './chunks.ts'
import { createNameClaims, sumsFileName } from './item-names.ts'
import type { ProgressMeter } from './progress-meter.ts'
import { putFile } from './put-file.ts'
import { abortFailure, createScope, type Scope } from './scope.ts'
import { sha256SumsOf } from './sha256-sums.ts'
import { createSlots } from './slots.ts'
import { checkStreamItem, storeStream, streamNames } from './stream-item.ts'
import { createThrottle } from './throttle.ts'

export interface BackupSinkContext extends CallOptions {
  readonly repository: Repository
  /** `<workload folder>/<point folder>`, as in the manifest. */
  readonly folder: string
  readonly number: number
  readonly compression: Compression
  /** Absent: everything is full. */
  readonly base?: readonly BaseDisk[]
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

/**
 * Where a provider puts a backup. Everything is put durably under the number's folder and nothing is ever put twice; a failed item fails
 * the sink. Constant memory: per open item about 4 MiB, with zstd 15 MiB.
 */
export function createBackupSink(context: BackupSinkContext): OpenSink {
  const { repository, folder, number, clock, meter, stallMs } = context
  const target = { repository, folder, number }
  const whole = new AbortController()
  const throttle = createThrottle({ clock, bytesPerSecond: context.bytesPerSecond })
  const slots = createSlots(context.parallel ?? 4)
  const claims = createNameClaims()
  const results: (Stored | undefined)[] = []
  const running = new Set<Promise<unknown>>()
  const keys = new Set<string>()
  let transferred = 0
  let closed: { readonly error: unknown } | undefined

  const flow = {
    pass(bytes: number, options: CallOptions) {
      transferred += bytes
      meter.add(bytes)
      return throttle.pass(bytes, options)
    },
  }
  const stop = () => close(abortFailure(context.signal, folder))
  if (context.signal.aborted) stop()
  else context.signal.addEventListener('abort', stop, { once: true })

  function close(error: unknown): void {
    if (closed !== undefined) return
    closed = { error }
    context.signal.removeEventListener('abort', stop)
    whole.abort(error)
  }

  /** One item, from the wait for a slot to its last durable byte. */
  async function store<T extends Stored>(what: string, act: (scope: Scope) => Promise<T>): Promise<T> {
    const place = results.push(undefined) - 1
    const scope = createScope({ signal: whole.signal, clock, what, stallMs })
    const work = (async () => {
      const resume = scope.pause()
      const leave = await slots.enter(scope)
      resume()
      try {
        meter.step(`storing ${what}`)
        return await act(scope)
      } finally {
        leave()
      }
    })()
    running.add(work)
    try {
      const stored = await work
      results[place] = stored
      return stored
    } catch (error) {
      close(error)
      throw error
    } finally {
      running.delete(work)
      scope.close()
    }
  }

  function checkOpen(what: string): void {
    if (closed !== undefined)
      throw new HoldfastError('ABORTED', `${what}: this backup takes nothing more, it has finished or failed`, {
        cause: closed.error,
        retryable: false,
      })
  }

  function diskNames(): DiskNames {
    for (let index = 0; ; index++) {
      const names = { file: `disk-${index}.qcow2`, sums: `disk-${index}.sums` }
      if (claims.free(names.file) && claims.free(names.sums)) return names
    }
  }

  async function blocks(item: BlocksItem): Promise<void> {
    checkOpen(`disk ${item.disk.key}`)
    if (keys.has(item.disk.key)) throw new HoldfastError('EXISTS', `disk ${item.disk.key} was given twice`)
    const plan = planDisk(
      item,
      context.base?.find(({ key }) => key === item.disk.key),
    )
    keys.add(item.disk.key)
    const names = diskNames()
    claims.claim([names.file, names.sums])
    await store(`disk ${item.disk.name}`, async (scope) => {
      const { entry, usedBytes } = await storeDisk(item, plan, names, target, scope, flow, meter.expect)
      return { entry, provisioned: item.disk.size, used: usedBytes }
    })
  }

  async function stream(item: StreamItem): Promise<Receipt> {
    checkOpen(`item ${item.name}`)
    checkStreamItem(item)
    const names = streamNames(item, context.compression)
    claims.claim(names.index === undefined ? [names.file] : [names.file, names.index])
    const stored = await store(item.name, async (scope) => {
      const { entry, receipt } = await storeStream(item, names, target, scope, flow)
      return { entry, receipt, provisioned: item.format === 'vmdk' ? item.disk.size : entry.size, used: entry.size }
    })
    return stored.receipt
  }

  async function finish(options: CallOptions): Promise<StoredItems> {
    if (closed !== undefined) throw closed.error
    if (running.size > 0) {
      const error = new HoldfastError(
        'INTERNAL',
        `${folder}: the backup returned while ${running.size} of its items were still being put`,
        {
          remedy: 'This is an error of the provider: it must await every item. Report it.',
        },
      )
      close(error)
      throw error
    }
    close(new HoldfastError('ABORTED', `${folder}: the backup was finished before`))
    const stored = results.filter((result) => result !== undefined)
    const items = stored.map(({ entry }) => entry)
    const sumsSize = await putSums(items, options)
    return { items, bytes: byteCounts(stored, transferred, sumsSize) }
  }

  async function putSums(items: readonly ManifestItem[], options: CallOptions): Promise<number> {
    const content = sha256SumsOf(items, number)
    if (content === undefined) return 0
    const scope = createScope({ signal: options.signal, clock, what: sumsFileName, stallMs })
    try {
      const { size } = await putFile(target, sumsFileName, bytesOf(Buffer.from(content)), scope)
      return size
    } finally {
      scope.close()
    }
  }

  return {
    sink: { blocks, stream },
    finish,
    async [Symbol.asyncDispose]() {
      close(new HoldfastError('ABORTED', `${folder}: the backup was given up`))
      await Promise.allSettled(running)
    },
  }
}

function byteCounts(stored: readonly Stored[], transferred: number, sumsSize: number): ByteCounts {
  const sizes = stored.map(({ entry }) => entry.file.size + (entry.type === 'disk' ? entry.sums.size : (entry.index?.size ?? 0)))
  const sum = (numbers: readonly number[]) => numbers.reduce((total, value) => total + value, 0)
  return {
    provisioned: sum(stored.map(({ provisioned }) => provisioned)),
    used: sum(stored.map(({ used }) => used)),
    transferred,
    stored: sum(sizes) + sumsSize,
  }
}
