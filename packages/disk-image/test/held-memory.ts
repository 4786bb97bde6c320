import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use that something holds. Garbage is left out: when it is collected is chance, and on a busy machine late. */
function heldBytes(): number {
  collect()
  // The memory of array buffers that the first found dead is counted as free by the second.
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const firstLooks = 64
const laterLooks = 256

export interface HeldMemory {
  /** Call it for each piece of the work. It measures the first 64 times, then each 256th: collecting takes milliseconds. */
  look(): void
  /** The most that was held at a look, in bytes, above what was held at the start. */
  growth(): number
}

export function watchHeldMemory(): HeldMemory {
  const before = heldBytes()
  let [most, looks] = [before, 0]
  return {
    look() {
      looks += 1
      if (looks <= firstLooks || looks % laterLooks === 0) most = Math.max(most, heldBytes())
    },
    growth: () => most - before,
  }
}
