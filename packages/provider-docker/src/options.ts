import { HoldfastError, type Json } from '@holdfast/core/spec'
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
  return parse(restoreSchema, input)
}

export function parseOptions(use: 'backup' | 'restore' | 'probe', input: unknown): Json {
  if (use === 'probe') throw new HoldfastError('UNSUPPORTED', 'Docker volumes cannot be probed yet.', { remedy: 'Leave out the probe.' })
  return parse<Json>(schemas[use] as z.ZodType<Json>, input)
}

function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input ?? {})
  if (parsed.success) return parsed.data
  const words = parsed.error.issues.map((issue) => {
    const path = ['options', ...issue.path].join('.')
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => `${path}.${key}: there is no such option`).join('; ')
    return `${path}: ${issue.message}`
  })
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
  throw new HoldfastError('INVALID_OPTIONS', `Options of the Docker provider: ${words.join('; ')}.`, {
    remedy: known.length > 0 ? `Known options: ${known.join(', ')}.` : 'There are no options here: leave them out.',
  })
}
