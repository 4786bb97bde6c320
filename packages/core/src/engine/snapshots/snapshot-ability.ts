import { HoldfastError } from '../../spec/errors.ts'
import type { SnapshotAbility } from '../../spec/provider.ts'
import { type EngineParts, providerNamed } from '../parts.ts'

/** Throws UNSUPPORTED for a provider whose platform has no snapshots that people use. */
export function snapshotAbility(parts: EngineParts, provider: string): SnapshotAbility {
  const { snapshots, kind } = providerNamed(parts, provider)
  if (snapshots) return snapshots
  const remedy = `Use a plan of kind "backup" for its workloads: engine.run({ key, operation: 'backup', repository, workload }) makes one now.`
  throw new HoldfastError('UNSUPPORTED', `Provider "${provider}" (${kind}) has no snapshots.`, { remedy })
}
