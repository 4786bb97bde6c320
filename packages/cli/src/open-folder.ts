import { access, readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { localRepository } from '@holdfast/core'
import { type OfflineRepository, openOffline } from '@holdfast/core/offline'
import { codeOf, HoldfastError } from '@holdfast/core/spec'
import type { Host } from './host.ts'
import { counted, printable } from './printable.ts'
import type { ShownProgress } from './progress-line.ts'

/** A repository in a folder, opened to read. */
export interface OpenFolder extends OfflineRepository {
  /** Absolute. */
  readonly root: string
}

/** `word` is the folder as the user wrote it. Throws REPOSITORY_MISSING with what is there instead, as far as that can be told. */
export async function openFolder(word: string, host: Host, progress: ShownProgress): Promise<OpenFolder> {
  const root = resolve(host.folder, word)
  await refuseOther(root)
  const { clock, signal } = host
  try {
    const opened = await openOffline({ repository: localRepository({ folder: root }), clock, signal, meter: progress.meter })
    const [first] = opened.findings
    if (opened.file === undefined && first !== undefined)
      progress.tell(`Note: ${printable(first.message)}. Points can be read all the same; each verifies by itself.`)
    return { ...opened, root }
  } catch (error) {
    if (codeOf(error) !== 'REPOSITORY_MISSING') throw error
    throw await explained(root, error)
  }
}

async function refuseOther(root: string): Promise<void> {
  const found = await stat(root).catch(() => undefined)
  if (found === undefined || found.isDirectory()) return
  throw new HoldfastError('REPOSITORY_MISSING', `${root} is a file, not the folder of a repository.`, {
    remedy: 'Name the folder that holds repository.json.',
  })
}

/** What a person may have meant. */
async function explained(root: string, cause: unknown): Promise<HoldfastError> {
  const names = await readdir(root).catch(() => undefined)
  const nearby = await repositoriesNear(root, names ?? [])
  const what =
    names === undefined
      ? 'the folder is not there'
      : names.length === 0
        ? 'the folder is empty'
        : `there is no repository.json and no restore point among the ${counted(names.length, 'name')} in it`
  const mount = 'Check the path. If it is right, the disk or share is probably not mounted: mount it, then try again.'
  const remedy = nearby.length > 0 ? `A repository is in ${nearby.join(' and in ')}: name that folder.` : mount
  return new HoldfastError('REPOSITORY_MISSING', `${root} is no repository: ${what}.`, { remedy, cause })
}

/** Above, as from inside of it, and one level below. */
async function repositoriesNear(root: string, names: readonly string[]): Promise<readonly string[]> {
  const above = [dirname(root), dirname(dirname(root)), dirname(dirname(dirname(root)))]
  const below = names.slice(0, 1000).map((name) => join(root, name))
  const found: string[] = []
  for (const folder of new Set([...above, ...below])) {
    const there = await access(join(folder, 'repository.json')).then(
      () => true,
      () => false,
    )
    if (there) found.push(folder)
  }
  return found.slice(0, 3)
}
