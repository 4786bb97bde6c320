// #region contract
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PlatformThing, providerContract } from '@holdfast/testkit'
import { describe, it } from 'vitest'
import { attemptPath, deliveredBy, listAttempts } from './attempt-files.ts'
import { diskFiles } from './disk-files-provider.ts'

describe('disk files', () => {
  providerContract({
    describe,
    it,
    replaces: true,
    newName: () => 'ä'.repeat(100), // as long as a safe name may be
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

// #region things
/** Every image and every unfinished file, with its content; a mark is not a thing but says whose its image is. */
async function things(folder: string): Promise<readonly PlatformThing[]> {
  const marks = new Map<string, PlatformThing['mark']>()
  for (const mark of await listAttempts(folder)) {
    marks.set(attemptPath('', mark, 'part'), mark)
    const delivered = await deliveredBy(folder, mark)
    if (delivered !== undefined) marks.set(`${delivered}.img`, mark)
  }
  const found: PlatformThing[] = []
  for (const id of await readdir(folder)) {
    if (id.endsWith('.mark')) continue
    const bytes = await readFile(join(folder, id))
    const mark = marks.get(id)
    found.push({ id, state: createHash('sha256').update(bytes).digest('hex'), ...(mark && { mark }) })
  }
  return found
}
// #endregion things
