import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function usedBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Bytes in use that something holds. Garbage is left out: when it is collected is chance, and on a busy machine late. */
function heldBytes(): number {
  collect()
  // The memory of array buffers that the first found dead is counted as free by the second.
  collect()
  return usedBytes()
}

export interface HeldMemory {
  /** Call it for each piece of the work. */
  look(): void
  /** The most at any look, in bytes, above the least: with garbage as long as that is below the ceiling, without it where not. */
  growth(): number
}

/** @param ceiling Bytes. Collecting takes milliseconds, so it is done only where there is more than that. */
export function watchHeldMemory(ceiling: number): HeldMemory {
  let [least, most] = [heldBytes(), 0]
  return {
    look() {
      const used = usedBytes()
      // What tests before this one have left goes when it likes.
      least = Math.min(least, used)
      const growth = used - least
      most = Math.max(most, growth < ceiling ? growth : heldBytes() - least)
    },
    growth: () => most,
  }
}
