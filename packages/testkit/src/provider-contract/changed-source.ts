import { type ByteStream, HoldfastError, type RestoreSource, type StoredDisk, type StoredFile } from '@holdfast/core/spec'

const damage = () => new HoldfastError('CHECKSUM_MISMATCH', 'the contract damaged this item')

function changed(
  source: RestoreSource,
  file: (file: StoredFile) => StoredFile,
  disk: (disk: StoredDisk) => StoredDisk = (same) => same,
): RestoreSource {
  return {
    ...source,
    disks: source.disks.map((each) => ({ ...disk(each), ...(each.file && { file: file(each.file) }) })),
    files: source.files.map(file),
  }
}

/** When a damaged item is found out: before its first byte, or only when it has been read whole, as a hash is. */
export const damages = ['open', 'end'] as const

/** The same source, whose last disk and last file of content are damaged. */
export function damaged(source: RestoreSource, when: (typeof damages)[number], content: ReadonlySet<string>): RestoreSource {
  const lastDisk = source.disks.at(-1)
  const lastFile = source.files.findLast(({ name }) => content.has(name))
  const hit = new Set([lastFile?.name, lastDisk?.file?.name])
  return changed(
    source,
    (file) => (hit.has(file.name) ? { ...file, open: when === 'open' ? refuse : (options) => brokenAtEnd(file, options) } : file),
    (disk) => (disk === lastDisk ? { ...disk, open: when === 'open' ? refuse : (options) => brokenAtLastRead(disk, options) } : disk),
  )
}

const refuse = () => Promise.reject(damage())

async function brokenAtEnd(file: StoredFile, options: Parameters<StoredFile['open']>[0]): Promise<ByteStream> {
  const bytes = await file.open(options)
  return (async function* () {
    yield* bytes
    throw damage()
  })()
}

/** The read that would take the last byte of data rejects; of a disk without any, the end of its map. */
async function brokenAtLastRead(disk: StoredDisk, options: Parameters<StoredDisk['open']>[0]): ReturnType<StoredDisk['open']> {
  const blocks = await disk.open(options)
  let last = -1
  for await (const { offset, length, kind } of blocks.extents(options)) if (kind === 'data') last = offset + length - 1
  return {
    ...blocks,
    async readInto(target, offset, call) {
      if (offset <= last && last < offset + target.length) throw damage()
      await blocks.readInto(target, offset, call)
    },
    async *extents(call) {
      yield* blocks.extents(call)
      if (last < 0) throw damage()
    },
  }
}

/** The same source, each chunk of whose streams belongs to the reader for ever. */
export function withOwnedChunks(source: RestoreSource): RestoreSource {
  return changed(source, (file) => ({
    ...file,
    async open(options) {
      const bytes = await file.open(options)
      return (async function* () {
        for await (const chunk of bytes) yield new Uint8Array(chunk)
      })()
    },
  }))
}

/** The same source; `look` is awaited once the reader has used the first bytes of an item, and before the item ends. */
export function watched(source: RestoreSource, look: (when: string) => Promise<void>): RestoreSource {
  return changed(
    source,
    (file) => ({ ...file, open: (options) => watchedStream(file, options, look) }),
    (disk) => ({ ...disk, open: (options) => watchedBlocks(disk, options, look) }),
  )
}

async function watchedStream(
  file: StoredFile,
  options: Parameters<StoredFile['open']>[0],
  look: (when: string) => Promise<void>,
): Promise<ByteStream> {
  const bytes = await file.open(options)
  let chunks = 0
  return (async function* () {
    for await (const chunk of bytes) {
      yield chunk
      if (chunks++ === 0) await look(`while "${file.name}" was read`)
    }
    await look(`before the end of "${file.name}"`)
  })()
}

async function watchedBlocks(
  disk: StoredDisk,
  options: Parameters<StoredDisk['open']>[0],
  look: (when: string) => Promise<void>,
): ReturnType<StoredDisk['open']> {
  const blocks = await disk.open(options)
  let reads = 0
  return {
    ...blocks,
    async readInto(target, offset, call) {
      if (reads++ === 0) await look(`while disk "${disk.key}" was read`)
      await blocks.readInto(target, offset, call)
    },
    async *extents(call) {
      yield* blocks.extents(call)
      await look(`at the end of disk "${disk.key}"`)
    },
  }
}

/** The same source; `abort` is called when the first item is opened. */
export function aborting(source: RestoreSource, abort: () => void): RestoreSource {
  const cut = <T extends StoredFile | StoredDisk>(item: T): T => ({
    ...item,
    open(options: Parameters<StoredFile['open']>[0]) {
      abort()
      return item.open(options)
    },
  })
  return changed(source, cut, cut)
}
