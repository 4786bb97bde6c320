import * as z from 'zod'
import { HoldfastError } from '../spec/errors.ts'
import { decodeChecksummed, encodeChecksummed } from './checksummed-json.ts'
import { repositoryFileName } from './names.ts'

export { repositoryFileName } from './names.ts'

/** `repository.json`: what makes a folder a repository, and which store may delete in it. */
export interface RepositoryFile {
  readonly formatVersion: 1
  /** Made once; tells repositories apart that were mounted in the same place. */
  readonly repositoryId: string
  /** `storeId` of the store that owns it. */
  readonly owner: string
  /** The highest epoch of that store which has used it: a store that is behind was rolled back. */
  readonly epoch: number
}

const schema = z.strictObject({
  formatVersion: z.literal(1),
  repositoryId: z.string().min(1),
  owner: z.string().min(1),
  epoch: z.int().min(0),
})

/** The bytes of `repository.json`. */
export function encodeRepositoryFile(file: RepositoryFile): Uint8Array {
  const { formatVersion, repositoryId, owner, epoch } = schema.parse(file)
  return encodeChecksummed({ formatVersion, repositoryId, owner, epoch })
}

/** The opposite of {@link encodeRepositoryFile}. Throws REPOSITORY_DAMAGED when it does not verify, UNSUPPORTED_FORMAT when it is of another version. */
export function decodeRepositoryFile(bytes: Uint8Array): RepositoryFile {
  const members = decodeChecksummed(bytes, { path: repositoryFileName, code: 'REPOSITORY_DAMAGED' })
  const parsed = schema.safeParse(members)
  if (parsed.success) return parsed.data
  throw new HoldfastError('REPOSITORY_DAMAGED', `${repositoryFileName} verifies but is not what this software writes`, {
    cause: parsed.error,
  })
}
