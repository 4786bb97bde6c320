import { createHash } from 'node:crypto'
import type { PassingCluster } from '@holdfast/disk-image'
import type { StreamItem } from '../spec/backup.ts'
import { createTarScanner } from '../spec/helpers/tar/index.ts'
import type { Channel } from './channel.ts'
import { type Flow, gather, readStream } from './chunks.ts'
import type { IndexWriter } from './entry-index.ts'
import { openOnce } from './open-once.ts'
import type { Scope } from './scope.ts'
import { createVmdkReader, createVmdkScanner } from './vmdk-scanner.ts'

/** What came. */
export interface Received {
  size: number
  /** Empty until the end was proven. */
  sha256: string
  sha1?: string
}

/** A stream that is about to be received, and what is made of it while it passes. */
export interface Reception {
  readonly item: StreamItem
  readonly received: Received
  readonly scope: Scope
  readonly flow: Flow
  /** The index of a `tar`, and where its lines go. */
  readonly index?: { readonly writer: IndexWriter; readonly lines: Channel<Uint8Array> }
  /** The clusters of a `vmdk`. */
  readonly onCluster?: ((cluster: PassingCluster) => Promise<void>) | undefined
}

interface Scanner {
  write(chunk: Uint8Array): Promise<void> | void
  end(): Promise<void> | void
}

function scannerOf({ item, index, onCluster, scope: { signal } }: Reception): Scanner | undefined {
  const what = item.name
  if (item.format === 'vmdk') {
    const { size } = item.disk
    return onCluster === undefined ? createVmdkScanner({ what, size }) : createVmdkReader({ what, size, onCluster, signal })
  }
  if (item.format === 'tar') return createTarScanner({ what, ...(index !== undefined && { onEntry: index.writer.add }) })
  return undefined
}

/** Opens the item and gives its bytes on in large pieces, after they were hashed and scanned. Throws instead of ending when the end is not proven. */
export async function* receive(reception: Reception): AsyncGenerator<Uint8Array, void, undefined> {
  const { item, index, received, scope, flow } = reception
  const sha256 = createHash('sha256')
  const sha1 = item.digests?.includes('sha1') === true ? createHash('sha1') : undefined
  const scanner = scannerOf(reception)
  try {
    const stream = await openOnce(() => item.open({ signal: scope.signal }), scope)
    // A codec gathers for itself what it works on meanwhile; here every byte is done with before the next is asked for.
    for await (const piece of gather(readStream(stream, scope, flow), true)) {
      sha256.update(piece)
      sha1?.update(piece)
      await scanner?.write(piece)
      received.size += piece.length
      await sendLines(index?.writer.take(), index?.lines)
      yield piece
    }
    await scanner?.end()
    await sendLines(index?.writer.end(), index?.lines)
  } catch (error) {
    // Told to the scope here, because a repository may wrap what its source throws.
    scope.fail(error)
    throw error
  }
  index?.lines.end()
  received.sha256 = sha256.digest('hex')
  if (sha1 !== undefined) received.sha1 = sha1.digest('hex')
}

async function sendLines(bytes: Uint8Array | undefined, lines: Channel<Uint8Array> | undefined): Promise<void> {
  if (bytes !== undefined && bytes.length > 0) await lines?.send(bytes)
}

/** Receives a stream of which only what is made of it while it passes is kept. */
export async function receiveStream(reception: Omit<Reception, 'received'>): Promise<Received> {
  const received: Received = { size: 0, sha256: '' }
  for await (const _ of receive({ ...reception, received }));
  return received
}
