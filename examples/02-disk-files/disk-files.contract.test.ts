import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PlatformThing, providerContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { attemptPath, isDelivered, listAttempts } from './attempt-files.ts'
import { diskFiles } from './disk-files-provider.ts'

// #region things
/** Every image and every unfinished file, with its content; a mark is not a thing but says whose its image is. */
async function things(folder: string): Promise<readonly PlatformThing[]> {
  const attempts = await listAttempts(folder)
  const found: PlatformThing[] = []
  for (const file of await readdir(folder)) {
    if (file.endsWith('.mark')) continue
    const state = createHash('sha256')
      .update(await readFile(join(folder, file)))
      .digest('hex')
    let mark: PlatformThing['mark']
    for (const attempt of attempts) {
      const unfinished = attemptPath('', attempt, 'part') === file
      if (unfinished || (`${attempt.name}.img` === file && (await isDelivered(folder, attempt)))) mark = attempt.mark
    }
    found.push({ id: file, state, ...(mark && { mark }) })
  }
  return found
}
// #endregion things

// #region contract
describe('disk files', () => {
  providerContract({
    describe,
    it,
    replaces: true,
    async create() {
      const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-files-'))
      const disk = Buffer.alloc(3 * 65_536 + 512)
      disk.fill('data', 65_536, 2 * 65_536)
      await writeFile(join(folder, 'web.img'), disk)
      await writeFile(join(folder, 'bystander.img'), 'not to be touched')
      await writeFile(join(folder, 'notes.txt'), 'no disk image')
      return {
        provider: diskFiles({ folder }),
        another: async () => diskFiles({ folder }),
        workload: 'web',
        things: () => things(folder),
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
      }
    },
  })
})
// #endregion contract
