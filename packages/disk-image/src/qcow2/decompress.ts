import { promisify } from 'node:util'
import { constants, inflateRaw, zstdDecompress } from 'node:zlib'
import { clusterBytes } from '../clusters.ts'
import { type DiskImageError, damaged } from '../errors.ts'
import { zstdFrameLength } from './zstd-frame.ts'

/** How the compressed clusters of an image are packed: raw deflate or one zstd frame each. */
export type ClusterCodec = 'deflate' | 'zstd'

const inflate = promisify(inflateRaw)
const unzstd = promisify(zstdDecompress)
/** The largest window a frame may ask for, as a power of two: 8 MiB, what every decoder has to give. A hostile frame may ask for gigabytes. */
const windowLogMaximum = 23
/** With room to spare the codec needs one buffer, and a cluster that is too long shows. */
const chunkSize = clusterBytes + 1024
const maxOutputLength = clusterBytes

/** The bytes of one cluster. `stored` may go on after its end, with the beginning of another cluster. */
export async function decompressCluster(codec: ClusterCodec, stored: Buffer, guestOffset: number): Promise<Buffer> {
  const wrong = (why: string): DiskImageError => damaged(`the compressed cluster at ${guestOffset} ${why}`, { guestOffset })
  const plain = await unpack(codec, stored, wrong).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') throw wrong('is longer than a cluster')
    throw error instanceof Error && error.name !== 'DiskImageError' ? wrong(`cannot be unpacked: ${error.message}`) : error
  })
  if (plain.length !== clusterBytes) throw wrong(`has ${plain.length} bytes instead of ${clusterBytes}`)
  return plain
}

async function unpack(codec: ClusterCodec, stored: Buffer, wrong: (why: string) => DiskImageError): Promise<Buffer> {
  // A raw deflate stream knows its end.
  if (codec === 'deflate') return await inflate(stored, { chunkSize, maxOutputLength })
  const length = zstdFrameLength(stored)
  if (length === undefined) throw wrong('is no whole zstd frame')
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogMaximum }
  return await unzstd(stored.subarray(0, length), { chunkSize, maxOutputLength, params })
}
