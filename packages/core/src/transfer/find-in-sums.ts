import { createHash } from 'node:crypto'
import { isDamage } from './damage.ts'
import { type DamagedClusters, damagedClusters } from './damaged-clusters.ts'
import { openLayerImage } from './disk-layers.ts'
import { dataClusters, eachCluster, type ImageCheck } from './image-clusters.ts'
import { openFile, partOfFile } from './stored-bytes.ts'

/** Bytes of the header of a sums file, and of one record. */
const headerBytes = 32
const recordBytes = 24

/**
 * Which clusters a damaged sums file has the wrong record of. The image says what the records should be: one for each of its clusters, in guest order. If an
 * image is damaged too, its clusters are among them: that they do not fit together is all there is to see. What cannot be read adds nothing.
 */
export async function findInSums(check: ImageCheck): Promise<DamagedClusters> {
  const { layer, reading, scope } = check
  const { manifest, entry } = layer
  const clusters = damagedClusters(entry.disk.size)
  try {
    const file = await openFile(reading.repository, manifest.folder, entry.sums, scope)
    try {
      const records = eachRecord(partOfFile(file, Math.min(headerBytes, entry.sums.size), entry.sums.size, scope))
      const image = await openLayerImage(layer, reading, scope)
      const data = dataClusters(check)
      try {
        for await (const { index, kind } of eachCluster(image, scope)) {
          const cluster = kind === 'data' ? ((await data.next()).value ?? undefined) : undefined
          const record = (await records.next()).value
          if (record === undefined || !record.equals(recordOf(index, cluster))) clusters.add(index)
        }
      } finally {
        await data.return()
        await image[Symbol.asyncDispose]()
      }
    } finally {
      await file[Symbol.asyncDispose]()
    }
  } catch (error) {
    if (!isDamage(error)) throw error
  }
  return clusters
}

const zeroSum = sumOf(Buffer.alloc(65_536))

function recordOf(index: number, cluster: Uint8Array | undefined): Buffer {
  const record = Buffer.alloc(recordBytes)
  record.writeUIntLE(index, 0, 6)
  record.writeUInt8(cluster === undefined ? 2 : 1, 6)
  record.set(cluster === undefined ? zeroSum : sumOf(cluster), 8)
  return record
}

function sumOf(cluster: Uint8Array): Buffer {
  return createHash('sha256').update(cluster).digest().subarray(0, 16)
}

/** Records of a fixed length out of chunks of any; a record is lent until the next one is asked for. */
async function* eachRecord(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, undefined, undefined> {
  const record = Buffer.alloc(recordBytes)
  let filled = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + recordBytes - filled)
      record.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < recordBytes) continue
      yield record
      filled = 0
    }
  }
  return undefined
}
