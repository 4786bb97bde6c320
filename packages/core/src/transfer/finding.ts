import type { Finding } from '../model/run-outcome.ts'
import { asDamage, isDamage } from './damage.ts'

export type { Finding } from '../model/run-outcome.ts'

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
