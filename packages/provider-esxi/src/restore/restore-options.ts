import { parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'

const name = z.string().min(1)

/** Where a machine is restored to, and how. Nothing has to be said where a host leaves one choice. */
export const restoreSchema = z.strictObject({
  /** Resource pool, by its name or that of its host or cluster. Default: the only one, or that of `host`. */
  resourcePool: name.optional(),
  /** Default: the only one that the host can reach. */
  datastore: name.optional(),
  /** Folder of machines. Default: that of the datacenter. */
  folder: name.optional(),
  /** Host of a vCenter server. Needed in a cluster that does not choose hosts by itself. */
  host: name.optional(),
  /** Networks of the point to networks of the host, both by name. Default: networks of the same name, or the only one. */
  networks: z.record(z.string(), name).default({}),
  /** How disks take their space. */
  diskProvisioning: z.enum(['thin', 'thick', 'eagerZeroedThick']).default('thin'),
  /** Refuse the restore when the host warns of anything before the machine is made. */
  failOnWarning: z.boolean().default(false),
  /** Give it other MAC addresses and another UUID than the original has. Test copies always get them. */
  newIdentity: z.boolean().default(false),
})

export type RestoreOptions = z.infer<typeof restoreSchema>

/** @throws INVALID_OPTIONS with the path of the mistake. */
export const parseRestoreOptions = (input: unknown): RestoreOptions => parseStrict(restoreSchema, input ?? {}, 'esxi restore options')
