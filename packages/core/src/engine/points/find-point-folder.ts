import { parsePointPath, parseRepositoryPath, runHash } from '../../model/names.ts'
import type { CallOptions } from '../../spec/blocks.ts'
import type { Repository } from '../../spec/repository.ts'

/**
 * The folder that this run has used before, found by the hash of the run key alone: after the loss of a database the same run may be due at
 * another time.
 */
export async function findPointFolder(
  repository: Repository,
  home: string,
  runKey: string,
  options: CallOptions,
): Promise<string | undefined> {
  const hash = runHash(runKey)
  for await (const file of repository.list(`${home}/`, options)) {
    const parsed = parseRepositoryPath(file.path)
    if ('folder' in parsed && parsePointPath(parsed.folder)?.run === hash) return parsed.folder
  }
  return undefined
}
