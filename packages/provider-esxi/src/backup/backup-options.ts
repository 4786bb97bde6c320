import { invalidOptions, parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'

/** How a machine is backed up. All have a default. */
export const backupSchema = z.strictObject({
  /**
   * How its disks are read. `ovf`: the host exports them, which works with every kind of storage. `vmdk`: their flat files are read from the datastore, which needs
   * no lease, and works only for disks that have such files, on machines without snapshots.
   */
  mode: z.enum(['ovf', 'vmdk']).default('ovf'),
  /**
   * Whether the guest of a running machine is asked to flush first. `try`: if it can be, and the backup goes on without when it cannot, with a warning.
   * `require`: the backup fails then. `never`: it is not asked.
   */
  quiesce: z.enum(['try', 'require', 'never']).default('try'),
  /** Take the images that lie in its drives; the mode `vmdk` never does. */
  images: z.boolean().default(true),
  /** Files that are read at once. Hosts have little memory for transfers: more than one is quicker only on some. */
  parallel: z.int().min(1).max(8).default(1),
  /** What has not been tried on a real host, and is off unless it is asked for. */
  experimental: z
    .strictObject({
      /**
       * An increment reads only what the host says has changed, from the flat files of the disks. Needs a machine without snapshots, on VMFS or NFS. Where it does not
       * work, everything is read as without it, and a warning says why. Tracking of changes is switched on where it is off, and stays on.
       */
      changedAreas: z.boolean().default(false),
    })
    .exactOptional(),
})

export type BackupOptions = z.infer<typeof backupSchema>

const subject = 'esxi backup options'

/** @throws INVALID_OPTIONS with the path of the mistake. */
export function parseBackupOptions(input: unknown): BackupOptions {
  if (typeof input === 'object' && input !== null && 'changedAreas' in input) {
    const remedy = `It is experimental: write experimental: { changedAreas: ${input.changedAreas === false ? 'false' : 'true'} }.`
    throw invalidOptions(subject, [{ path: 'changedAreas', problem: 'is not known here', remedy }])
  }
  return parseStrict(backupSchema, input ?? {}, subject)
}
