import { promisify } from 'node:util'
import { inflate } from 'node:zlib'
import { damaged } from '../errors.ts'

const unzip = promisify(inflate)

/** What has to be known of a disk to unpack a grain of it. Bytes. */
export interface GrainShape {
  readonly grainBytes: number
  /** Size of the disk. */
  readonly size: number
}

/** Shorthand for a grain that is not what it should be. */
export const badGrain = (guestOffset: number, why: string) => damaged(`the grain at ${guestOffset} ${why}`, { guestOffset })

/** The bytes of a grain from its zlib stream, whose checksum is compared. Never makes more than a grain of it. */
export async function unpackGrain(packed: Buffer, guestOffset: number, { grainBytes, size }: GrainShape): Promise<Buffer> {
  const plain = await unzip(packed, { chunkSize: grainBytes + 1024, maxOutputLength: grainBytes }).catch((error: unknown) => {
    throw badGrain(guestOffset, `cannot be unpacked: ${error instanceof Error ? error.message : 'unknown'}`)
  })
  // The last grain may end with the disk.
  if (plain.length !== grainBytes && plain.length !== size - guestOffset)
    throw badGrain(guestOffset, `has ${plain.length} bytes instead of ${grainBytes}`)
  return plain
}
