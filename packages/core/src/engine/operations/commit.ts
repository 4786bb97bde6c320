import { encodeManifest, type Manifest } from '../../model/manifest.ts'
import { manifestPath } from '../../model/names.ts'
import { HoldfastError } from '../../spec/errors.ts'
import { bytesOf } from '../../spec/helpers/index.ts'
import type { ManifestRef } from '../../spec/store.ts'
import { cleanUp, type EngineParts, repositoryNamed } from '../parts.ts'
import { requireOwnership } from '../points/ownership.ts'
import { readNumber } from '../points/point-folder.ts'
import type { Attempt } from '../runs/attempt.ts'
import { type Success, writtenSuccess } from '../runs/finish.ts'

/** The commit: whoever creates the name first decides for everybody (rule decide). Cancel counts only before this. */
export async function commit(parts: EngineParts, attempt: Attempt, target: ManifestRef, manifest: Manifest): Promise<Success> {
  attempt.meter.step('committing')
  await requireOwnership(parts, target.repository, { signal: attempt.signal })
  const repository = repositoryNamed(parts, target.repository)
  const bytes = encodeManifest(manifest)
  attempt.signal.throwIfAborted()
  return await cleanUp(parts, async (options) => {
    try {
      await repository.put(manifestPath(target.folder, target.number), bytesOf(bytes), { ...options, size: bytes.length, ifAbsent: true })
    } catch (error) {
      // After a time-out or EXISTS the name is read: the write may be our own.
      const seen = await readNumber(repository, target, options)
      if (seen.state === 'absent') throw error
      if (seen.state !== 'live' || !Buffer.from(seen.bytes).equals(bytes)) {
        throw new HoldfastError('NUMBER_TAKEN', `${manifestPath(target.folder, target.number)} was decided by another attempt.`, {
          cause: error,
        })
      }
      await repository.sync(target.folder, options)
    }
    return writtenSuccess(target, manifest)
  })
}
