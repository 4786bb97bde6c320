import type { Transform } from 'node:stream'
import { constants, createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { gather } from './chunks.ts'

/** How a stream lies in the repository. `kept`: byte for byte as it came. */
export type StreamForm = 'kept' | 'zstd' | 'gzip'

/** What the form adds to a file's name, so that every tool knows it. */
export const formSuffix: { readonly [form in StreamForm]: string } = { kept: '', zstd: '.zst', gzip: '.gz' }

/** Output buffer of the codecs, bytes. With Node's default of 16 KiB one stream reaches half the speed. */
const chunkSize = 1024 * 1024
/** How far a codec works ahead of its reader, bytes: with less it stands still while a piece is being written to the disk. */
const aheadBytes = 2 * 1024 * 1024
/** The largest window a zstd frame may ask for, as a power of two: 32 MiB. We write 2 MiB; a hostile frame may ask for gigabytes. */
const windowLogMaximum = 25

function createCompressor(form: 'zstd' | 'gzip'): Transform {
  if (form === 'gzip') return createGzip({ level: 4, chunkSize })
  const params = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 }
  return createZstdCompress({ chunkSize, params })
}

function createDecompressor(form: 'zstd' | 'gzip'): Transform {
  if (form === 'gzip') return createGunzip({ chunkSize })
  return createZstdDecompress({ chunkSize, params: { [constants.ZSTD_d_windowLogMax]: windowLogMaximum } })
}

/** One zstd frame (level 3, content checksum) or one gzip member. */
export function compressed(chunks: AsyncIterable<Uint8Array>, form: 'zstd' | 'gzip'): AsyncIterable<Uint8Array> {
  return transformed(chunks, () => createCompressor(form))
}

/** The reverse of {@link compressed}. Throws what the codec throws when the bytes are damaged or cut. */
export function decompressed(chunks: AsyncIterable<Uint8Array>, form: 'zstd' | 'gzip'): AsyncIterable<Uint8Array> {
  return transformed(chunks, () => createDecompressor(form))
}

/** Chunks are the reader's own. The codec works on one piece in the thread pool while the next is fetched and hashed. */
async function* transformed(chunks: AsyncIterable<Uint8Array>, create: () => Transform): AsyncGenerator<Uint8Array, void, undefined> {
  const codec = create()
  // Destroyed with the error, the codec throws it to its reader; a codec that has failed by itself keeps its own.
  const feeding = feed(chunks, codec).catch((error: unknown) => {
    codec.destroy(error instanceof Error ? error : new Error(String(error)))
  })
  try {
    yield* outputOf(codec)
  } finally {
    codec.destroy()
    await feeding
  }
}

/** What comes out of the codec. Its own iterator would copy what has gathered into one large buffer each time. */
async function* outputOf(codec: Transform): AsyncGenerator<Uint8Array, void, undefined> {
  const queue: Uint8Array[] = []
  let queued = 0
  let ended: { readonly error?: unknown } | undefined
  let wake = () => {}
  codec.on('data', (chunk: Uint8Array) => {
    queue.push(chunk)
    queued += chunk.length
    if (queued >= aheadBytes) codec.pause()
    wake()
  })
  const end = (error?: unknown) => {
    ended ??= error === undefined ? {} : { error }
    wake()
  }
  codec.once('end', () => end()).once('error', end)
  for (;;) {
    for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
      queued -= chunk.length
      if (queued < aheadBytes && codec.isPaused()) codec.resume()
      yield chunk
    }
    if (ended !== undefined && ended.error !== undefined) throw ended.error
    if (ended !== undefined) return
    await new Promise<void>((resolve) => {
      wake = resolve
    })
  }
}

async function feed(chunks: AsyncIterable<Uint8Array>, codec: Transform): Promise<void> {
  const write = writer(codec)
  let previous: Promise<void> | undefined
  for await (const piece of gather(chunks)) {
    const current = write(piece)
    current.catch(() => {})
    await previous
    previous = current
  }
  await previous
  codec.end()
}

/** Writes that settle on every path: a zlib stream that fails forgets the callback of the write it was working on. */
function writer(codec: Transform): (piece: Uint8Array) => Promise<void> {
  const waiting = new Set<(reason: Error) => void>()
  codec.once('close', () => {
    for (const reject of waiting) reject(new Error('the codec was closed'))
  })
  return (piece) =>
    new Promise((resolve, reject) => {
      waiting.add(reject)
      codec.write(piece, (error) => {
        waiting.delete(reject)
        if (error) reject(error)
        else resolve()
      })
    })
}
