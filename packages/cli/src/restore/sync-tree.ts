import { constants } from 'node:fs'
import { open, opendir } from 'node:fs/promises'
import { codeOf, throwIfAborted } from '@holdfast/core/spec'

/** So many at once: the journal of a file system then takes several with one write, which is ten times faster than one after the other. */
const atOnce = 16

/** Makes every file and folder below `root`, and `root`, durable. Links need nothing of their own: they are names in folders. */
export async function syncTree(root: string, { signal }: { readonly signal: AbortSignal }): Promise<void> {
  const running = new Set<Promise<void>>()
  const failures: unknown[] = []
  const start = async (path: Buffer, flags: number): Promise<void> => {
    while (running.size >= atOnce) await Promise.race(running)
    throwIfAborted(signal)
    if (failures.length > 0) throw failures[0]
    const work: Promise<void> = syncOne(path, flags)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => running.delete(work))
    running.add(work)
  }
  const walk = async (path: Buffer): Promise<void> => {
    const entries = await readable(opendir(path, { encoding: 'buffer' as BufferEncoding }))
    if (entries === undefined) return
    for await (const entry of entries) {
      const below = Buffer.concat([path, Buffer.from('/'), entry.name as unknown as Buffer])
      if (entry.isDirectory()) await walk(below)
      else if (entry.isFile()) await start(below, constants.O_RDONLY | constants.O_NOFOLLOW)
    }
    await start(path, constants.O_RDONLY | constants.O_DIRECTORY)
  }
  try {
    await walk(Buffer.from(root))
  } finally {
    await Promise.all(running)
  }
  if (failures.length > 0) throw failures[0]
}

/** Undefined for what its own archive lets nobody read: whoever is not root cannot open it again. */
async function readable<T>(opening: Promise<T>): Promise<T | undefined> {
  try {
    return await opening
  } catch (error) {
    if (codeOf(error) === 'EACCES') return undefined
    throw error
  }
}

async function syncOne(path: Buffer, flags: number): Promise<void> {
  const handle = await readable(open(path, flags))
  if (handle === undefined) return
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
