import { HoldfastError, type Json, parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'

const texts = z.record(z.string(), z.string())

const restoreSchema = z.strictObject({
  /** Put the content in place of what a volume of this name holds. */
  replace: z.boolean().optional(),
  /** Driver of the new volume, instead of the recorded one. */
  driver: z.string().min(1).optional(),
  /** Driver options of the new volume, instead of the recorded ones. */
  driverOptions: texts.optional(),
  /** Labels of the new volume, instead of the recorded ones. */
  labels: texts.optional(),
})
export type RestoreOptions = z.infer<typeof restoreSchema>

const schemas = { backup: z.strictObject({}), restore: restoreSchema }

/** Strict; `null` and nothing mean no options. */
export function parseRestoreOptions(input: unknown): RestoreOptions {
  return parseStrict(schemas.restore, input ?? {}, 'docker restore options')
}

export function parseOptions(use: 'backup' | 'restore' | 'probe', input: unknown): Json {
  if (use === 'probe') throw new HoldfastError('UNSUPPORTED', 'Docker volumes cannot be probed yet.', { remedy: 'Leave out the probe.' })
  return parseStrict(schemas[use] as z.ZodType<Json>, input ?? {}, `docker ${use} options`)
}
