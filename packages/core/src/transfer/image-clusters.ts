import { type ClusterSum, clusterBytes, type Qcow2Layer, type SumsFile } from '@holdfast/disk-image'
import { gather, iterate } from './chunks.ts'
import type { Layer } from './disk-layers.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'
import { openFile, partOfFile } from './stored-bytes.ts'

/** An image and what reads it. */
export interface ImageCheck {
  readonly layer: Layer
  readonly reading: Reading
  readonly scope: Scope
}

/** What the image holds, cluster by cluster in guest order. */
export async function* eachCluster(
  image: Qcow2Layer,
  scope: Scope,
): AsyncGenerator<{ readonly index: number; readonly kind: ClusterSum['kind'] }, void, undefined> {
  for await (const { offset, length, kind } of iterate(image.extents({ signal: scope.signal }), scope)) {
    for (let at = offset; at < offset + length; at += clusterBytes) yield { index: at / clusterBytes, kind }
  }
}

/**
 * Data clusters lie one after the other in guest order behind the metadata: one forward read sees every byte, what pads the last cluster of an odd-sized
 * disk included, which no guest read would. A cluster is lent until the next one is asked for.
 */
export async function* dataClusters({ layer, reading, scope }: ImageCheck): AsyncGenerator<Uint8Array, void, undefined> {
  const { manifest, entry } = layer
  const file = await openFile(reading.repository, manifest.folder, entry.file, scope)
  reading.meter.expect(entry.file.size - entry.metadata.size)
  try {
    for await (const piece of gather(partOfFile(file, entry.metadata.size, entry.file.size, scope), true, clusterBytes)) {
      for (let at = 0; at < piece.length; at += clusterBytes) yield piece.subarray(at, at + clusterBytes)
      const held = reading.flow.pass(piece.length, scope)
      if (held !== undefined) await scope.race(held)
    }
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

/** One sum after the other. */
export async function* eachSum(sums: SumsFile, scope: Scope, kind?: ClusterSum['kind']): AsyncGenerator<ClusterSum, undefined, undefined> {
  for await (const batch of sums.batches({ signal: scope.signal })) {
    for (const record of batch) if (kind === undefined || record.kind === kind) yield record
  }
  return undefined
}
