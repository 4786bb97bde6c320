import { asDamage, isDamage } from './damage.ts'

/** One thing that is wrong with a stored file. */
export interface Finding {
  /** The point's id. */
  readonly point: string
  /** Path in the repository. */
  readonly file: string
  readonly message: string
}

/** Runs one check of a file; damage becomes a finding, anything else is thrown. */
export async function findingOf(point: string, file: string, check: () => Promise<void>): Promise<Finding | undefined> {
  try {
    await check()
    return undefined
  } catch (error) {
    if (!isDamage(error)) throw error
    return { point, file, message: (asDamage(error, file) as Error).message }
  }
}
