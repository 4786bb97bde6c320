// Options that differ per use, for a provider that has some.
// #region options
import type { BackupRequest, Json, OptionsSchema, Provider } from '@holdfast/core/spec'
import { parseStrict } from '@holdfast/core/spec'
import * as z from 'zod'

const none = z.strictObject({})
const backupOptions = z.strictObject({ compact: z.boolean().default(true) })
const schemas: { readonly [use in 'backup' | 'restore' | 'probe']: OptionsSchema<Json> } = {
  backup: backupOptions,
  restore: none,
  probe: none,
}

export const parseOptions: NonNullable<Provider['parseOptions']> = (use, input) =>
  parseStrict(schemas[use], input, `my-platform ${use} options`)

/** In `backup`: what `parseOptions` returned, defaults and all. It is JSON, so its type is gone; parsing it once more gives it back. */
export const isCompact = ({ options }: BackupRequest): boolean => parseStrict(backupOptions, options, 'my-platform backup options').compact
// #endregion options
