import type { BlockSource, CallOptions } from '../../blocks.ts'
import { clusterBytes } from '../../clusters.ts'
import { fill, grouped, type Run } from '../../read-ahead.ts'
import { type Slot, slotClusters } from './shared-slots.ts'
import type { WorkerPool } from './worker-pool.ts'

/** Runs of which the data fits one slot, packed. */
export interface PackedChunk {
  readonly runs: readonly Run[]
  readonly slot: Slot
}

interface Coming extends PackedChunk {
  readonly ready: Promise<void>
}

const mostReaders = 4

/**
 * Reads runs into slots, as many reads at once as the source allows, has each slot packed as soon as it is filled, and gives them in their order, whoever
 * is ready first. A chunk is the reader's until it asks for the next one.
 */
export async function* packedChunks(
  source: BlockSource,
  runs: AsyncIterable<Run>,
  slots: readonly Slot[],
  pool: WorkerPool,
  options: CallOptions,
): AsyncGenerator<PackedChunk, void, undefined> {
  const groups = grouped(runs, slotClusters)
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const free = [...slots]
  const queue: Coming[] = []
  /** Each read waits for the one that many before it. */
  const turns: Promise<unknown>[] = Array.from({ length: Math.max(1, Math.min(source.readers ?? 1, mostReaders)) }, () => Promise.resolve())
  const begin = (slot: Slot, group: readonly Run[]): Coming => {
    const read = (turns.shift() as Promise<unknown>).then(() => fill(source, group, slot.bytes, { signal }))
    turns.push(read)
    const ready = read.then(async ({ length }) => {
      if (length > 0) await pool.run({ slot: slot.number, clusters: length / clusterBytes })
    })
    ready.catch(() => {}) // its turn comes later; until then nobody waits for it
    return { runs: group, slot, ready }
  }
  let ended = false
  try {
    for (;;) {
      for (let slot = free.pop(); slot !== undefined; slot = free.pop()) {
        const group = ended ? undefined : await groups.next()
        if (group === undefined || group.done) {
          ended = true
          break
        }
        queue.push(begin(slot, group.value))
      }
      const head = queue.shift()
      if (head === undefined) return
      await head.ready
      options.signal.throwIfAborted()
      yield { runs: head.runs, slot: head.slot }
      free.push(head.slot)
    }
  } finally {
    stop.abort()
    await Promise.allSettled(queue.map(({ ready }) => ready))
    await groups.return(undefined)
  }
}
