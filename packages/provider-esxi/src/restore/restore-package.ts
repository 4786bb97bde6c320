import {
  type CallOptions,
  collectBytes,
  HoldfastError,
  parseStrict,
  type RestoreSource,
  type StoredFile,
  showValue,
} from '@holdfast/core/spec'
import * as z from 'zod'
import { longestDescriptor } from '../ovf/ovf-document.ts'
import type { Ovf, OvfFile } from '../ovf/ovf-types.ts'
import { parseOvf } from '../ovf/parse-ovf.ts'
import { withFileSizes } from './file-sizes.ts'
import { encodedPart, type OpenPart, storedPart } from './restore-parts.ts'

/** A point as a package that a host imports. Disposing closes its disks. */
export interface RestorePackage extends AsyncDisposable {
  /** Text of the descriptor. */
  readonly descriptor: string
  readonly ovf: Ovf
  readonly parts: readonly OpenPart[]
}

/** What a backup of this provider says of itself, as far as a restore needs it. */
const descriptionSchema = z.looseObject({
  descriptor: z.string().min(1),
  /** By the names of the files: which disk each is. */
  files: z.record(z.string(), z.looseObject({ disk: z.string().optional() })).default({}),
})
type Description = z.infer<typeof descriptionSchema>

function missing(point: string, names: readonly string[]): HoldfastError {
  return new HoldfastError(
    'POINT_DAMAGED',
    `Point ${point} lacks what its descriptor names: ${names.map((name) => showValue(name)).join(', ')}.`,
    {
      remedy: 'Restore another point. Nothing was made on the host.',
      details: { missing: [...names] },
    },
  )
}

/** @throws POINT_DAMAGED: the descriptor is not there, or is no text that can be one. */
async function readDescriptor({ descriptor: name }: Description, source: RestoreSource, options: CallOptions): Promise<string> {
  const file = source.files.find((one) => one.name === name)
  if (file === undefined) throw missing(source.point, [name])
  const bytes = await collectBytes(await file.open(options), longestDescriptor, name)
  return new TextDecoder().decode(bytes)
}

function refuseForms({ href, compression, chunkSize }: OvfFile): void {
  const form = compression !== undefined ? `packed with ${compression}` : chunkSize !== undefined ? 'in chunks' : undefined
  if (form !== undefined)
    throw new HoldfastError('UNSUPPORTED', `${href} is ${form}, which is not sent to a host.`, {
      remedy: 'Export the machine again without packing and chunks.',
    })
}

/** Sizes that a descriptor names are those of files as they are stored. */
function refuseSize({ href, size }: OvfFile, file: StoredFile): void {
  if (size !== undefined && size !== file.size)
    throw new HoldfastError('POINT_DAMAGED', `${href} has ${file.size} bytes; the descriptor says ${size}.`, {
      remedy: 'Restore another point.',
    })
}

interface Looked {
  readonly source: RestoreSource
  readonly description: Description
  readonly ovf: Ovf
}

async function partOf(file: OvfFile, { ovf, source, description }: Looked, options: CallOptions): Promise<OpenPart | undefined> {
  refuseForms(file)
  const { href } = file
  const disk = ovf.disks.find(({ fileRef }) => fileRef === file.id)
  const kept = source.disks.find((one) => one.file?.name === href)?.file ?? source.files.find(({ name }) => name === href)
  if (kept !== undefined) {
    refuseSize(file, kept)
    return storedPart(href, kept, { disk: disk !== undefined, ...(disk?.populatedSize !== undefined && { dataBytes: disk.populatedSize }) })
  }
  const key = Object.hasOwn(description.files, href) ? description.files[href]?.disk : undefined
  const stored = source.disks.find((one) => (key === undefined ? one.name === href : one.key === key))
  if (disk === undefined || stored === undefined) return undefined
  if (stored.size !== disk.capacity)
    throw new HoldfastError('POINT_DAMAGED', `The disk ${href} has ${stored.size} bytes; the descriptor says ${disk.capacity}.`)
  return encodedPart(href, stored, options)
}

async function closeAll(parts: readonly OpenPart[]): Promise<void> {
  for (const part of parts) await part[Symbol.asyncDispose]()
}

async function openParts(looked: Looked, options: CallOptions): Promise<readonly OpenPart[]> {
  const parts: OpenPart[] = []
  const absent: string[] = []
  try {
    for (const file of looked.ovf.files) {
      const part = await partOf(file, looked, options)
      if (part === undefined) absent.push(file.href)
      else parts.push(part)
    }
    if (absent.length > 0) throw missing(looked.source.point, absent)
    return parts
  } catch (error) {
    await closeAll(parts)
    throw error
  }
}

/**
 * Opens a point of this kind as a package: its descriptor whole, and every file that this names with the size that it says.
 * @throws POINT_DAMAGED with what is missing or wrong; UNSUPPORTED; PATH_OUTSIDE: a hostile name; CHECKSUM_MISMATCH.
 */
export async function openPackage(source: RestoreSource, options: CallOptions): Promise<RestorePackage> {
  const description = parseStrict(descriptionSchema, source.description, `the description of point ${source.point}`)
  const { descriptor: name } = description
  const text = await readDescriptor(description, source, options)
  const ovf = parseOvf(text, { what: name })
  const parts = await openParts({ source, description, ovf }, options)
  const sizes = new Map(parts.map(({ href, size }) => [href, size]))
  return { descriptor: withFileSizes(text, name, sizes), ovf, parts, [Symbol.asyncDispose]: () => closeAll(parts) }
}
