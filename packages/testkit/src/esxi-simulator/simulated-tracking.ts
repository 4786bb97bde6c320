import type { MappedBlocks } from '@holdfast/core/spec'
import { seededRandom } from '../random.ts'
import type { DiskContent } from './simulated-disk.ts'

const never = { signal: new AbortController().signal }

/** A part of a disk, in bytes. */
export interface ChangedArea {
  readonly start: number
  readonly length: number
}

/** How a host tracks the changes of one disk. A test may change all of it. */
export interface SimulatedTracking {
  /** It has begun: with a snapshot, after the machine was told to track. */
  active: boolean
  /** Bytes that one answer speaks of. Default 4 MiB, so that it takes several to speak of a disk. */
  spanBytes: number
  /** What the host says in place of the truth. */
  forge: ((areas: readonly ChangedArea[], span: ChangedArea) => readonly ChangedArea[]) | undefined
  /** Forgets everything and begins anew, as after a crash of the host: ids from before mean nothing any more. */
  reset(): void
  /** Notes what is on the disk now, and gives the id of this moment. */
  mark(content: DiskContent): string
  /** What was on the disk at the moment of an id; undefined: the id is of another time, or none. */
  at(changeId: string): DiskContent | undefined
}

const hexadecimal = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')

/** @param name Of the disk: no two have ids in common. */
export function createTracking(name: string): SimulatedTracking {
  const random = seededRandom(7).fork(name)
  const moments = new Map<string, DiskContent>()
  const newEpoch = () => `${hexadecimal(random.bytes(8))}-${hexadecimal(random.bytes(8))}`
  let [epoch, sequence] = [newEpoch(), 0]
  return {
    active: false,
    spanBytes: 4 * 1024 * 1024,
    forge: undefined,
    reset() {
      moments.clear()
      epoch = newEpoch()
      sequence = 0
    },
    mark(content) {
      sequence += 1
      const changeId = `${epoch}/${sequence}`
      moments.set(changeId, content)
      return changeId
    },
    at: (changeId) => moments.get(changeId),
  }
}

/** Finer than what a backup keeps, so that it has to round. */
const grainBytes = 16_384

function joined(areas: readonly ChangedArea[]): readonly ChangedArea[] {
  const result: ChangedArea[] = []
  for (const { start, length } of areas) {
    const last = result.at(-1)
    if (last !== undefined && last.start + last.length === start)
      result[result.length - 1] = { start: last.start, length: last.length + length }
    else result.push({ start, length })
  }
  return result
}

async function usedIn(blocks: MappedBlocks, { start, length }: ChangedArea): Promise<readonly ChangedArea[]> {
  const used: ChangedArea[] = []
  for await (const extent of blocks.extents(never)) {
    const from = Math.max(start, extent.offset)
    const to = Math.min(start + length, extent.offset + extent.length)
    if (extent.kind === 'data' && from < to) used.push({ start: from, length: to - from })
  }
  return joined(used)
}

async function differences(before: MappedBlocks, after: MappedBlocks, { start, length }: ChangedArea): Promise<readonly ChangedArea[]> {
  const areas: ChangedArea[] = []
  for (let at = start; at < start + length; at += grainBytes) {
    const count = Math.min(grainBytes, start + length - at)
    const [old, now] = [new Uint8Array(count), new Uint8Array(count)]
    await after.readInto(now, at, never)
    // What a disk has grown by holds nothing that was there before.
    await before.readInto(old.subarray(0, Math.max(0, Math.min(count, before.size - at))), Math.min(at, before.size), never)
    if (Buffer.compare(old, now) !== 0) areas.push({ start: at, length: count })
  }
  return joined(areas)
}

/** What has changed in a part of a disk, or what of it is used (`*`). Undefined: the host does not know this id. */
export async function areasOf(
  tracking: SimulatedTracking,
  content: DiskContent,
  changeId: string,
  span: ChangedArea,
): Promise<readonly ChangedArea[] | undefined> {
  const before = changeId === '*' ? content : tracking.at(changeId)
  if (before === undefined) return undefined
  const [old, now] = [before.open(), content.open()]
  try {
    const areas = await (changeId === '*' ? usedIn(now, span) : differences(old, now, span))
    return tracking.forge?.(areas, span) ?? areas
  } finally {
    await old[Symbol.asyncDispose]()
    await now[Symbol.asyncDispose]()
  }
}
