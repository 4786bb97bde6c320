import { HoldfastError, type Json } from '@holdfast/core/spec'
import * as z from 'zod'
import type { Volume } from './engine-answers.ts'
import { hidden, hideSecrets, isSecretName } from './hide-secrets.ts'
import { type Labels, withoutOurLabels } from './mark-labels.ts'

/** What this provider writes into a manifest, version 1. */
export interface VolumeDescription {
  readonly v: 1
  readonly volume: { readonly name: string; readonly driver: string; readonly options: Labels; readonly labels: Labels }
  /** First part of every name in the archive. */
  readonly folder: 'data'
  /** What the archive cannot hold. */
  readonly losses: readonly string[]
  /** Containers that mounted the volume during the backup. */
  readonly containers: readonly { readonly name: string; readonly state: string }[]
  readonly engine: string
}

/** Measured on Docker Engine 20.10.24: its archive API does not carry these. */
export const losses = [
  'extended attributes and access control lists, except security.capability',
  'times to less than a second',
  'modification times before 1970',
  'holes of sparse files (they become zeros)',
  'sockets',
] as const

const labels = z.record(z.string(), z.string())
const schema = z.object({
  v: z.literal(1),
  volume: z.object({ name: z.string(), driver: z.string(), options: labels, labels }),
})

export function describeVolume(volume: Volume, engine: string, containers: VolumeDescription['containers']): VolumeDescription {
  return {
    v: 1,
    volume: {
      name: volume.Name,
      driver: volume.Driver,
      options: withoutSecrets(volume.Options ?? {}),
      labels: withoutSecrets(withoutOurLabels(volume.Labels)),
    },
    folder: 'data',
    losses,
    containers,
    engine,
  }
}

export function parseDescription(description: Json): z.infer<typeof schema>['volume'] {
  const parsed = schema.safeParse(description)
  if (parsed.success) return parsed.data.volume
  throw new HoldfastError('UNSUPPORTED_FORMAT', 'The description of the volume in this point is of a kind this version does not read.', {
    cause: parsed.error,
  })
}

/** Options of CIFS shares and of volume drivers may hold passwords, and so may labels; a manifest never does. Applied again it changes nothing more. */
export function withoutSecrets(values: Labels): Labels {
  const shown = (name: string, value: string): string => (value !== '' && isSecretName(name) ? hidden : hideSecrets(value))
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, shown(name, value)]))
}

/** The options say where the data lies (a folder of the host, a share): a second volume with them would be the same data. */
export function namesPlace(options: Labels): boolean {
  return options.device !== undefined && options.type !== 'tmpfs'
}

export function isInMemory(volume: { readonly Driver: string; readonly Options?: Labels | null | undefined }): boolean {
  return volume.Driver === 'local' && volume.Options?.type === 'tmpfs'
}
