import { HoldfastError } from '../spec/errors.ts'
import { pathText } from '../spec/helpers/parse-options.ts'
import type { Json } from '../spec/json.ts'
import type { ManifestRef } from '../spec/store.ts'
import { decodeChecksummed, encodeChecksummed } from './checksummed-json.ts'
import { fileEntriesOf } from './manifest-files.ts'
import { manifestSchema } from './manifest-schema.ts'
import type { Manifest } from './manifest-types.ts'
import { manifestPath, pointOf } from './names.ts'
import { toJsonSchema } from './schemas.ts'

export type {
  ByteCounts,
  Compression,
  DiskItem,
  Manifest,
  ManifestItem,
  RunWarning,
  StoredFileEntry,
  StreamItem,
} from './manifest-types.ts'

/**
 * The bytes of `manifest.<number>.json`. Throws INTERNAL for what {@link decodeManifest} would refuse: a point must never be committed that nobody can read.
 */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const problem = shapeProblem(manifest) ?? contradiction(manifest)
  if (problem !== undefined) {
    throw new HoldfastError('INTERNAL', `${manifestPath(manifest.folder, manifest.number)} would not be valid: ${problem.message}`)
  }
  return encodeChecksummed({ ...manifest })
}

/** Where a manifest was found, and in which repository if that is known. */
export interface ManifestPlace extends Pick<ManifestRef, 'folder' | 'number'> {
  readonly repositoryId?: string
}

/**
 * Reads a manifest. The checksum is verified over the exact bytes before anything else.
 *
 * Throws POINT_DAMAGED when it does not verify, contradicts itself, or was written for another place than `place`; the message names the file and what is
 * wrong. Throws UNSUPPORTED_FORMAT when it verifies but is newer than this software: then it is neither a point nor rubbish. An empty file
 * is a dead number and not for this function, which calls it damaged.
 */
export function decodeManifest(bytes: Uint8Array, place: ManifestPlace): Manifest {
  const path = manifestPath(place.folder, place.number)
  const members = decodeChecksummed(bytes, { path, code: 'POINT_DAMAGED' })
  const shape = shapeProblem(members)
  if (shape !== undefined) {
    const message = `${path} ${shape.newer ? 'has members that this software does not know' : 'verifies but is not a manifest'}: ${shape.message}`
    throw new HoldfastError(shape.newer ? 'UNSUPPORTED_FORMAT' : 'POINT_DAMAGED', message, { details: { path } })
  }
  // Not what the schema returned: the provider's own data must come back exactly as it was given.
  const manifest = members as unknown as Manifest
  const problem = contradiction(manifest) ?? misplaced(manifest, place)
  if (problem !== undefined) throw new HoldfastError('POINT_DAMAGED', `${path} ${problem.message}`, { details: { path } })
  return manifest
}

interface Problem {
  readonly message: string
}

function shapeProblem(value: unknown): (Problem & { readonly newer: boolean }) | undefined {
  const parsed = manifestSchema.safeParse(value)
  if (parsed.success) return undefined
  const { issues } = parsed.error
  const message = issues
    .slice(0, 3)
    .map((issue) => `${pathText(issue.path)}: ${issue.message}`)
    .join('; ')
  return { message, newer: issues.every((issue) => issue.code === 'unrecognized_keys') }
}

/** What no schema expresses. */
function contradiction(manifest: Manifest): Problem | undefined {
  if (pointOf(manifest) !== manifest.point) return { message: `is of point ${manifest.point} but of folder ${manifest.folder}` }
  const seen = new Set<string>()
  for (const { path } of fileEntriesOf(manifest)) {
    if (Number.parseInt(path, 10) > manifest.number) return { message: `names ${path}, a file of a later number` }
    if (seen.has(path)) return { message: `names ${path} twice` }
    seen.add(path)
  }
  const keys = new Set<string>()
  for (const item of manifest.items) {
    const key = item.disk?.key
    if (key !== undefined && keys.has(key)) return { message: `holds the disk ${JSON.stringify(key)} twice` }
    if (key !== undefined) keys.add(key)
    if (item.type === 'stream') {
      const summed = item.sums !== undefined
      if (summed !== (item.digest !== undefined) || (summed && (item.disk === undefined || item.form !== 'kept')))
        return { message: `gives ${item.file.path} sums or a digest that it cannot have` }
      if (item.replaces !== undefined && item.disk === undefined)
        return { message: `lets ${item.file.path} replace a disk, but it is none` }
      continue
    }
    if ((item.form === 'incremental') !== (item.parent !== undefined))
      return { message: `calls ${item.file.path} ${item.form}, which its parent contradicts` }
    const parent = Object.hasOwn(manifest.parents, item.disk.key) ? manifest.parents[item.disk.key] : undefined
    if (parent !== item.parent) return { message: `gives ${item.file.path} the parent ${item.parent}, but its disk ${parent}` }
  }
  const stranger = Object.keys(manifest.parents).find((key) => !keys.has(key))
  return stranger === undefined ? undefined : { message: `gives a parent to the disk ${JSON.stringify(stranger)}, which it does not hold` }
}

function misplaced(manifest: Manifest, place: ManifestPlace): Problem | undefined {
  if (manifest.folder !== place.folder || manifest.number !== place.number) {
    return { message: `was written as ${manifestPath(manifest.folder, manifest.number)}: it lies in the wrong place` }
  }
  if (place.repositoryId === undefined || manifest.repositoryId === place.repositoryId) return undefined
  return { message: `was written for repository ${manifest.repositoryId}, not for ${place.repositoryId}` }
}

/** JSON Schema of a manifest. The checksum, which is the file's last member, is described in it too. */
export function manifestJsonSchema(): Json {
  const schema = toJsonSchema(manifestSchema, 'Holdfast manifest, format version 1', 'output') as { readonly [name: string]: Json }
  const properties = schema.properties as { readonly [name: string]: Json }
  const required = schema.required as readonly string[]
  const sha256 = { type: 'string', pattern: '^[0-9a-f]{64}$', description: "SHA-256 of all bytes of the file before this member's line" }
  return { ...schema, properties: { ...properties, sha256 }, required: [...required, 'sha256'] }
}
