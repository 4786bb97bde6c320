import type { BlockSource, CallOptions } from './blocks.ts'

/**
 * The tables of a file that were asked for last: reads go forward, so few are enough. A table is kept as the promise of it, so that readers at the same
 * place share one read.
 */
export function createTableCache(source: BlockSource, kept = 8): (offset: number, length: number, options: CallOptions) => Promise<Buffer> {
  const tables = new Map<number, Promise<Buffer>>()
  const read = async (offset: number, length: number, options: CallOptions) => {
    const table = Buffer.allocUnsafeSlow(length)
    await source.readInto(table, offset, options)
    return table
  }
  return async (offset, length, options) => {
    const known = tables.get(offset)
    // Whoever shares a read must not share the abort of the reader that began it.
    if (known !== undefined) return known.catch(() => read(offset, length, options))
    const table = read(offset, length, options)
    tables.set(offset, table)
    table.catch(() => tables.delete(offset))
    const oldest = tables.keys().next()
    if (tables.size > kept && !oldest.done) tables.delete(oldest.value)
    return table
  }
}
