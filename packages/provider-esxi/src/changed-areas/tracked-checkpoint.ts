import type { Json } from '@holdfast/core/spec'
import * as z from 'zod'

const disk = z.strictObject({
  /** Of the snapshot that the point was made from, or an older one: what has changed since then holds all that has changed since the point. */
  changeId: z.string().min(1).max(200),
  sizeBytes: z.int().min(0),
  samples: z.array(z.tuple([z.int().min(0), z.string().length(43)])).max(64),
})

const schema = z.strictObject({
  v: z.literal(1),
  /** Increments one after the other that were made by changed areas. */
  inARow: z.int().min(0),
  disks: z.record(z.string(), disk),
})

/** What a point says of the tracking of its machine, for the next increment. */
export type TrackedCheckpoint = z.infer<typeof schema>
export type TrackedDisk = TrackedCheckpoint['disks'][string]

/** Undefined: the point says nothing of it, or says it in a way that is not known. */
export function readCheckpoint(checkpoint: Json | undefined): TrackedCheckpoint | undefined {
  const { success, data } = schema.safeParse(checkpoint)
  return success ? data : undefined
}
