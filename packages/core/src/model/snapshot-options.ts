import * as z from 'zod'
import { type RetentionPolicy, type RetentionPolicyInput, retentionSchema } from '../retention/index.ts'

/** Which snapshots of a plan stay: the rules of points. Snapshots build on nothing that could be merged, so there are no `chains`. */
export type SnapshotRetentionInput = Omit<RetentionPolicyInput, 'chains'>
/** {@link SnapshotRetentionInput} with its defaults. */
export type SnapshotRetention = Omit<RetentionPolicy, 'chains'>

export const snapshotRetentionSchema: z.ZodType<SnapshotRetention, SnapshotRetentionInput> = retentionSchema.refine(
  ({ chains }) => chains === undefined,
  { path: ['chains'], error: 'a platform removes each snapshot by itself; leave it out' },
)

const longestName = 80

/** What people see on the platform. */
export const snapshotNameSchema = z
  .string()
  .min(1, 'expected a name')
  .max(longestName, `expected at most ${longestName} characters`)
  .regex(/^[^\p{Cc}]*$/u, 'expected no control characters')
