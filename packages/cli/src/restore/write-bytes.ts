import type { FileHandle } from 'node:fs/promises'
import { type DiskFormat, encodeDisk } from '@holdfast/core/offline'
import type { ByteStream, CallOptions, MappedBlocks } from '@holdfast/core/spec'
import { rawExtents } from '@holdfast/disk-image'

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
}

/** Writes a stream from the beginning of the file. Resolves with its length. */
export async function writeStream(handle: FileHandle, stream: ByteStream): Promise<number> {
  let position = 0
  try {
    for await (const chunk of stream) {
      await writeAll(handle, chunk, position)
      position += chunk.length
    }
    return position
  } finally {
    await stream[Symbol.asyncDispose]?.()
  }
}

/** The whole disk as a file in this format. Resolves with the bytes that were written. */
export async function writeDisk(handle: FileHandle, blocks: MappedBlocks, format: DiskFormat, { signal }: CallOptions): Promise<number> {
  if (format === 'raw') return await writeRaw(handle, blocks, { signal })
  const encoded = await encodeDisk(blocks, format, { signal })
  return await writeStream(handle, encoded.open({ signal }))
}

/** With holes where the disk is zero: what is not data takes no room. */
async function writeRaw(handle: FileHandle, blocks: MappedBlocks, { signal }: CallOptions): Promise<number> {
  await handle.truncate(blocks.size)
  let written = 0
  for await (const { offset, bytes } of rawExtents(blocks, { signal })) {
    await writeAll(handle, bytes, offset)
    written += bytes.length
  }
  return written
}

/** Bytes that the disk holds as data. */
export async function dataBytesOf(blocks: MappedBlocks, { signal }: CallOptions): Promise<number> {
  let bytes = 0
  for await (const { length, kind } of blocks.extents({ signal })) if (kind === 'data') bytes += length
  return bytes
}
