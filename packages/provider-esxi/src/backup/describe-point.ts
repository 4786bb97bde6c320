import type { Connection } from '../connection.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'

/** What a point says of itself, for a restore by this provider. */
export interface PointDescription {
  readonly v: 1
  /** Present when the disks were read from their flat files; absent: exported. */
  readonly mode?: 'vmdk'
  /** Name of the OVF descriptor among the files. */
  readonly descriptor: string
  /** Name of the list of sums; absent when a file is not kept as it came. */
  readonly manifest?: string
  /** What was backed up, by the names of the files, or those that the descriptor has for them: how the host calls the device. */
  readonly files: { readonly [name: string]: { readonly device: string; readonly disk?: string } }
  /** Where it was, for people. */
  readonly source: { readonly host: string; readonly version: string; readonly reference: string; readonly configFile?: string }
}

export const sourceOf = ({ settings, session }: Connection, { ref, configFile }: FoundMachine): PointDescription['source'] => ({
  host: settings.host,
  version: session.content.about.fullName,
  reference: ref.value,
  ...(configFile !== undefined && { configFile }),
})
