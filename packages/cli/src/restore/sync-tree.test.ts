import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { syncTree } from './sync-tree.ts'

/** Root may read everything, so it stops being root for a moment. */
async function asOrdinaryUser<T>(user: number, work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return await work()
  process.seteuid?.(user)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

it('passes over folders and files that their archive lets nobody read, and says what else fails', async () => {
  const signal = new AbortController().signal
  const nobody = 65534
  await asOrdinaryUser(nobody, async () => {
    const root = await mkdtemp(join(tmpdir(), 'holdfast-sync-tree-'))
    try {
      await mkdir(join(root, 'closed'))
      await writeFile(join(root, 'closed', 'inside'), 'x')
      await writeFile(join(root, 'file'), 'x', { mode: 0o000 })
      await chmod(join(root, 'closed'), 0o000)
      await expect(syncTree(root, { signal })).resolves.toBeUndefined()
      await expect(syncTree(join(root, 'missing'), { signal })).rejects.toMatchObject({ code: 'ENOENT' })
    } finally {
      await chmod(join(root, 'closed'), 0o700)
      await rm(root, { recursive: true })
    }
  })
})
