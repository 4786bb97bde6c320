import { HoldfastError } from '../spec/errors.ts'

const mediaErrors: ReadonlySet<string> = new Set(['READ_FAILED', 'REPOSITORY_FAILED'])

/** What could not be read now, though it is there. Of one file, while others can be read, it is a bad block: damage like any other. */
export const isMediaError = (error: unknown): error is HoldfastError => HoldfastError.isInstance(error) && mediaErrors.has(error.code)
