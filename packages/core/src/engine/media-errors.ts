import { HoldfastError } from '../spec/errors.ts'

const mediaErrors: ReadonlySet<string> = new Set(['READ_FAILED', 'REPOSITORY_FAILED'])
/** What systems say of a block that cannot be read. All else tells of this process (EMFILE), this machine (ENOMEM) or the way to the storage (ESTALE, ETIMEDOUT). */
const badBlocks: ReadonlySet<unknown> = new Set(['EIO', 'EBADMSG', 'EUCLEAN', 'ENODATA', 'EREMOTEIO'])

/** What could not be read now, though it is there. Of one file, while others can be read, it is a bad block: damage like any other. */
export const isMediaError = (error: unknown): error is HoldfastError =>
  HoldfastError.isInstance(error) && mediaErrors.has(error.code) && blamesTheMedium(error)

/** A storage that names no error of the system may mean anything. */
function blamesTheMedium({ details }: HoldfastError): boolean {
  const { errno, code = errno } = (details ?? {}) as { readonly errno?: unknown; readonly code?: unknown }
  return code === undefined || badBlocks.has(code)
}
