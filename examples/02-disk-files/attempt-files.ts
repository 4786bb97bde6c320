// #region names
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Mark } from '@holdfast/core/spec'

/**
 * A file has no labels, so what an attempt makes says in its own name whose it is. Beside the images lie, hidden from the inventory:
 * `.part`, the file being filled, and `.mark`, which image it became: its inode tells later that what has the final name is this attempt's.
 * The image's own name is in the `.mark`, not in these names: a mark is short, but a name may be as long as a file system can bear.
 */
const first = '.holdfast'

export const imagePath = (folder: string, name: string): string => join(folder, `${name}.img`)

export function attemptPath(folder: string, { system, plan, run, attempt }: Mark, ending: 'part' | 'mark'): string {
  const words = [system, plan, run, String(attempt)].map(encodeURIComponent)
  return join(folder, `${[first, ...words].join(',')}.${ending}`)
}

/** Every attempt of which something is there. */
export async function listAttempts(folder: string): Promise<readonly Mark[]> {
  const found = new Map<string, Mark>()
  for (const file of await readdir(folder)) {
    const [start, ...words] = file.replace(/\.(part|mark)$/, '').split(',')
    const [system, plan, run, attempt] = words.map(decodeURIComponent)
    if (start !== first || system === undefined || plan === undefined || run === undefined) continue
    found.set(words.join(), { system, plan, run, attempt: Number(attempt) })
  }
  return [...found.values()]
}

/** Written before the final name is taken. */
export async function writeMark(folder: string, mark: Mark, { name, inode }: { readonly name: string; readonly inode: string }) {
  await writeFile(attemptPath(folder, mark, 'mark'), `${inode}\n${name}\n`, { flush: true })
}

/** The image to which this attempt has given the final name. A file keeps its inode when it is linked or renamed. */
export async function deliveredBy(folder: string, mark: Mark): Promise<string | undefined> {
  const text = await readFile(attemptPath(folder, mark, 'mark'), 'utf8').catch(absent)
  // One that was cut off while it was written stands for nothing: the name was not taken yet.
  const [, inode, name] = /^(\d+)\n(.+)\n$/.exec(text ?? '') ?? []
  return name !== undefined && inode === (await inodeOf(imagePath(folder, name))) ? name : undefined
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
