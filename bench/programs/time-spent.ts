import { performance } from 'node:perf_hooks'
import type { ByteStream, MappedBlocks } from '@holdfast/disk-image'

/** Adds up the time during which at least one of something was under way. */
export interface Meter {
  readonly seconds: number
  during<T>(work: () => Promise<T>): Promise<T>
}

export function meter(): Meter {
  let running = 0
  let since = 0
  let total = 0
  return {
    get seconds() {
      return total / 1000
    },
    async during(work) {
      if (running++ === 0) since = performance.now()
      try {
        return await work()
      } finally {
        if (--running === 0) total += performance.now() - since
      }
    },
  }
}

/** The same blocks; their reads count. */
export function meteredReads(blocks: MappedBlocks, reading: Meter): MappedBlocks {
  return { ...blocks, readInto: (target, offset, options) => reading.during(() => blocks.readInto(target, offset, options)) }
}

/** The same bytes; what counts is the time that their taker keeps each chunk. */
export async function* meteredWrites(bytes: ByteStream, writing: Meter): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) {
    let done: () => void = () => undefined
    void writing.during(
      () =>
        new Promise<void>((resolve) => {
          done = resolve
        }),
    )
    try {
      yield chunk
    } finally {
      done()
    }
  }
}

/** One line on standard error for the bench: what the program spent its time with. Times overlap, so their sum is more than the whole. */
export function tellTimes(times: { readonly [name: string]: number }): void {
  process.stderr.write(`\ntimes ${JSON.stringify(times)}\n`)
}

/** Does the work of an engine that has started, and tells what it cost by itself, without the start. */
export async function tellRuns(work: () => Promise<void>): Promise<void> {
  const [began, before] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(before)
  tellTimes({ runs: (performance.now() - began) / 1000, runs_cpu: (user + system) / 1e6 })
}
