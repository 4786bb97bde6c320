// #region names
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mark } from '@holdfast/core/spec'

/**
 * A file has no labels, so what an attempt makes says in its own name whose it is. Beside the images lie, hidden from the inventory:
 * `.part`, the file being filled, and `.mark`, the number of its inode: it tells later that the image under the final name is this attempt's.
 */
export interface AttemptFiles {
  readonly mark: Mark
  /** The image to be made, without its ending. */
  readonly name: string
}

const first = '.holdfast'

export const imagePath = (folder: string, name: string): string => join(folder, `${name}.img`)

export function attemptPath(folder: string, { mark, name }: AttemptFiles, ending: 'part' | 'mark'): string {
  const words = [mark.system, mark.plan, mark.run, String(mark.attempt), name].map(encodeURIComponent)
  return join(folder, `${[first, ...words].join(',')}.${ending}`)
}
/** Every attempt of which something is there. */
export async function listAttempts(folder: string): Promise<readonly AttemptFiles[]> {
  const found = new Map<string, AttemptFiles>()
  for (const file of await readdir(folder)) {
    const [start, ...words] = file.replace(/\.(part|mark)$/, '').split(',')
    const [system, plan, run, attempt, name] = words.map(decodeURIComponent)
    if (start !== first || system === undefined || plan === undefined || run === undefined || name === undefined) continue
    found.set(words.join(), { mark: { system, plan, run, attempt: Number(attempt) }, name })
  }
  return [...found.values()]
}

/** Has this attempt given its image the final name? A file keeps its inode when it is linked or renamed. */
export async function isDelivered(folder: string, attempt: AttemptFiles): Promise<boolean> {
  const inode = await readFile(attemptPath(folder, attempt, 'mark'), 'utf8').catch(absent)
  return inode !== undefined && inode === (await inodeOf(imagePath(folder, attempt.name)))
}

export async function exists(path: string): Promise<boolean> {
  return (await inodeOf(path)) !== undefined
}

async function inodeOf(path: string): Promise<string | undefined> {
  return (await stat(path).catch(absent))?.ino.toString()
}

export function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}
// #endregion names
