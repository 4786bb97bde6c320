import type { FlagName } from '../model/flag-names.ts'
import { parseRepositoryPath } from '../model/names.ts'
import type { CallOptions } from '../spec/blocks.ts'
import type { Repository } from '../spec/repository.ts'

/** What a listing shows of the folder of a point. */
export interface SeenFolder {
  readonly manifests: readonly number[]
  /** Numbers that have files. */
  readonly withFiles: ReadonlySet<number>
  readonly flags: readonly FlagName[]
}

/**
 * Every folder of a point, sorted by its name. `unless`: after this many files without a single manifest there is no point in looking on: it is
 * somebody's home, not a repository.
 */
export async function listFolders(
  repository: Repository,
  { signal, unless = Number.POSITIVE_INFINITY }: CallOptions & { readonly unless?: number },
): Promise<ReadonlyMap<string, SeenFolder>> {
  const folders = new Map<string, { manifests: number[]; withFiles: Set<number>; flags: FlagName[] }>()
  let files = 0
  let manifests = 0
  for await (const { path } of repository.list('', { signal })) {
    if (++files > unless && manifests === 0) break
    const parsed = parseRepositoryPath(path)
    if (parsed.kind === 'foreign' || parsed.kind === 'repository') continue
    const seen = folders.get(parsed.folder) ?? { manifests: [], withFiles: new Set(), flags: [] }
    folders.set(parsed.folder, seen)
    if (parsed.kind === 'manifest') manifests = manifests + seen.manifests.push(parsed.number)
    else if (parsed.kind === 'flag') seen.flags.push(parsed.flag)
    else seen.withFiles.add(parsed.number)
  }
  for (const seen of folders.values()) seen.manifests.sort((one, other) => one - other)
  return new Map([...folders].sort(([one], [other]) => (one < other ? -1 : 1)))
}
