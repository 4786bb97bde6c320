import type { BlockSource, CallOptions } from './blocks.ts'

interface Page {
  readonly offset: number
  readonly buffer: Buffer
  readonly filled: Promise<void>
  /** Calls that wait for its bytes or look at them. */
  users: number
}

/** Reads a page of a file, or takes it from those read last. `use` looks at it at once and keeps nothing of it. */
export type PageCache = <T>(offset: number, options: CallOptions, use: (page: Buffer) => T) => Promise<T>

/**
 * The pages of a file that were asked for last, in memory that is used again: a disk with little data far apart needs another page for nearly every read,
 * and new memory for each would pile up until it is collected. Readers of the same page share one read.
 * @param bytes Of a page.
 */
export function createPageCache(source: BlockSource, bytes: number, kept = 8): PageCache {
  let pages: Page[] = []

  function begin(offset: number, options: CallOptions): Page {
    const old = pages.length < kept ? undefined : pages.find(({ users }) => users === 0)
    const buffer = old?.buffer ?? Buffer.allocUnsafeSlow(bytes)
    const page: Page = { offset, buffer, filled: source.readInto(buffer, offset, options), users: 0 }
    pages = [...pages.filter((one) => one !== old), page]
    return page
  }

  return async (offset, options, use) => {
    for (;;) {
      const shared = pages.find((page) => page.offset === offset)
      const page = shared ?? begin(offset, options)
      page.users += 1
      try {
        await page.filled
        return use(page.buffer)
      } catch (error) {
        pages = pages.filter((one) => one !== page)
        // Whoever shares a read must not share the abort of the reader that began it.
        if (shared === undefined) throw error
      } finally {
        page.users -= 1
      }
    }
  }
}
