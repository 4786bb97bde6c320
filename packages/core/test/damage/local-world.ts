import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { localRepository } from '../../src/repository/local-repository.ts'
import { type DamageWorld, damageWorld, type StoredFiles } from './damage-world.ts'
import { filesInFolder } from './stored-files.ts'

/** A world over a real folder, which goes when the test has ended. */
export async function localWorld(
  seed: number,
  rounds?: number,
): Promise<DamageWorld & { readonly files: StoredFiles; readonly folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-damage-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const world = await damageWorld({ seed, repository: localRepository({ folder }), ...(rounds !== undefined && { rounds }) })
  onTestFinished(() => world.engine.stop())
  return { ...world, folder, files: filesInFolder(folder) }
}
