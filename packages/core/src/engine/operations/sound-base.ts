import { diskEntriesOf } from '../../model/disk-entries.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { checkFile } from '../../transfer/index.ts'
import { isMediaError } from '../media-errors.ts'
import type { EngineParts } from '../parts.ts'
import type { BaseChain, ChainLink } from '../points/base-chain.ts'
import { requireOwnership } from '../points/ownership.ts'
import type { Attempt } from '../runs/attempt.ts'
import { isDamage, readingOf, verifiedOnDamage } from './rewriting.ts'

/** All cluster sums that a new point would be built on: it repeats in its digest what they say, so a rotten one would spoil every later point. */
async function checkSums(
  parts: EngineParts,
  attempt: Attempt,
  repository: string,
  chain: readonly ChainLink[],
  options: CallOptions,
): Promise<void> {
  const reading = readingOf(parts, attempt, repository)
  for (const { manifest } of chain) for (const { sums } of diskEntriesOf(manifest)) await checkFile(reading, manifest.folder, sums, options)
}

/**
 * The base as it was found, if its sums are what was recorded. Otherwise none: the workload must be protected all the same, so a full is made, and a verification follows
 * that sets aside what is damaged. What cannot be read counts as damage when it is not the first time.
 */
export async function soundBase(parts: EngineParts, attempt: Attempt, repository: string, base: BaseChain): Promise<BaseChain> {
  const { chain } = base
  if (chain === undefined) return base
  const options = { signal: attempt.signal }
  const suspects = [{ repository, points: chain.map(({ manifest }) => manifest.point) }]
  attempt.meter.step('checking the sums of the base')
  try {
    await verifiedOnDamage(parts, attempt, suspects, () => checkSums(parts, attempt, repository, chain, options))
    return base
  } catch (error) {
    if (!isDamage(attempt, error)) throw error
    // Of a repository that is not mounted any more every file is missing.
    if (!isMediaError(error)) await requireOwnership(parts, repository, options)
    const reason = `the base cannot be built on: ${HoldfastError.isInstance(error) ? error.message : String(error)}`
    attempt.warn(
      'BASE_LOST',
      `A full backup is made instead, because ${reason}. A verification of the points it would have built on follows.`,
    )
    return { ...base, chain: undefined, reason }
  }
}
