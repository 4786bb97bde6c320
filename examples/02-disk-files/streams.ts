// A stream in either direction, for a provider whose content is no disk image.
// #region streams
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import type * as spec from '@holdfast/core/spec'
import { mapError, throwIfAborted } from '@holdfast/core/spec'

/** Into the point: the engine opens the stream when a slot is free, reads it once and closes it. */
export function putFile(sink: spec.BackupSink, name: string, path: string): Promise<spec.Receipt> {
  return sink.stream({ name, format: 'bytes', open: async ({ signal }) => read(path, signal) })
}

/**
 * The same for a disk that an export gives as streamOptimized VMDK, once and forward. The first point keeps it as it comes; later ones, of which the receipt says `kept: false`,
 * only what differs: the engine compares it with the last point while it passes.
 */
export function putExport(sink: spec.BackupSink, disk: spec.Disk, path: string): Promise<spec.Receipt> {
  return sink.stream({ name: `${disk.name}.vmdk`, format: 'vmdk', disk, open: async ({ signal }) => read(path, signal) })
}

/** Out of the point. `writeFile` takes one chunk after the other and resolves after the last: by then the hash was proven. */
export async function takeFile(file: spec.StoredFile, part: string, { signal }: spec.RunContext): Promise<void> {
  try {
    await writeFile(part, await file.open({ signal }), { flag: 'wx', mode: 0o600, flush: true, signal })
  } catch (error) {
    throwIfAborted(signal)
    throw mapError(error, 'PROVIDER_FAILED', `${part} cannot be written`)
  }
}

/** Node's AbortError has none of our codes: an aborted stream rejects with the reason of its signal, or ABORTED. */
async function* read(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* createReadStream(path, { signal })
  } catch (error) {
    throwIfAborted(signal)
    throw mapError(error, 'PROVIDER_FAILED', `${path} cannot be read`)
  }
}
// #endregion streams
