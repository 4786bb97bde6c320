import type { BlockSource, CallOptions } from '@holdfast/core/spec'
import { bytesOfRun, type ClusterRun, clusterBytes } from './cluster-runs.ts'

/** A request costs a host as much as some hundred kilobytes: what lies between two areas that are nearer than this is read with them. */
const mostBetween = 4
const mostClusters = (4 * 1024 * 1024) / clusterBytes

/** Joins runs that are near to each other, to pieces of at most 4 MiB. A run that is longer stays alone. */
export function joinNear(runs: readonly ClusterRun[]): readonly ClusterRun[] {
  const joined: ClusterRun[] = []
  for (const { index, count } of runs) {
    const last = joined.at(-1)
    const near = last !== undefined && index - (last.index + last.count) <= mostBetween && index + count - last.index <= mostClusters
    if (near) joined[joined.length - 1] = { index: last.index, count: index + count - last.index }
    else joined.push({ index, count })
  }
  return joined
}

interface Slot {
  readonly buffer: Uint8Array
  /** Offset of what is in it, or is on its way. */
  offset: number
  bytes: number
  filled: Promise<void>
  /** Reads that need it now. */
  users: number
}

/** The slot whose content is the least likely to be asked for again: reads go forward. */
function freeSlot(slots: readonly Slot[]): Slot | undefined {
  const free = slots.filter(({ users }) => users === 0)
  return free.toSorted((one, other) => one.offset - other.offset)[0]
}

/**
 * A disk of which only these runs are read, in order, with requests that hold several of them where they are near to each other. Takes at most three buffers of 4 MiB.
 * Disposing disposes `source`.
 */
export function nearReads(source: BlockSource, runs: readonly ClusterRun[]): BlockSource {
  const pieces = joinNear(runs)
  const readers = source.readers ?? 1
  const slots: Slot[] = []
  const pieceAt = (offset: number): ClusterRun | undefined => {
    let [low, high] = [0, pieces.length]
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((pieces[middle] as ClusterRun).index * clusterBytes <= offset) low = middle
      else high = middle
    }
    return pieces[low]
  }
  const slotFor = (offset: number, bytes: number, options: CallOptions): Slot | undefined => {
    const held = slots.find((slot) => slot.offset === offset && slot.bytes === bytes)
    if (held !== undefined) return held
    if (slots.length <= readers)
      slots.push({ buffer: new Uint8Array(mostClusters * clusterBytes), offset: -1, bytes: 0, filled: Promise.resolve(), users: 0 })
    const slot = freeSlot(slots)
    if (slot === undefined) return undefined
    slot.offset = offset
    slot.bytes = bytes
    slot.filled = source.readInto(slot.buffer.subarray(0, bytes), offset, options)
    slot.filled.catch(() => {
      slot.offset = -1 // whoever waits for it is told; the next one asks again
    })
    return slot
  }
  return {
    ...source,
    async readInto(target, offset, options) {
      const piece = pieceAt(offset)
      const place = piece && bytesOfRun(piece, source.size)
      const within = place !== undefined && offset >= place.offset && offset + target.length <= place.offset + place.length
      const alone = !within || place.length === target.length || place.length > mostClusters * clusterBytes
      const slot = alone ? undefined : slotFor(place.offset, place.length, options)
      if (alone || slot === undefined) return source.readInto(target, offset, options)
      slot.users += 1
      try {
        await slot.filled
        target.set(slot.buffer.subarray(offset - place.offset, offset - place.offset + target.length))
      } finally {
        slot.users -= 1
      }
    },
  }
}
