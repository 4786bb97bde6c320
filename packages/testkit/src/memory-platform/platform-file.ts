import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'

/** Runs an action on the state of the platform as one step that nobody sees half-done. */
export type Transact = <T>(action: () => T) => T
/** A part of the platform that can be written down. */
export interface Persisted {
  dump(): unknown
  load(dumped: unknown): void
}

const waitMs = 1
const giveUpMs = 10_000

/**
 * Keeps the platform in a file, so that it outlives the process that is killed and is shared by a frozen process and the one that takes over.
 * Each step reads the file, acts and writes it, under a lock; a process must not die inside a step (those of the crash harness die between them).
 */
export function platformInFile(file: string, parts: () => readonly Persisted[]): Transact {
  const lock = `${file}.lock`
  const load = () => {
    const bytes = readIfThere(file)
    if (bytes === undefined) return
    const dumped = deserialize(bytes) as readonly unknown[]
    for (const [index, part] of parts().entries()) part.load(dumped[index])
  }
  const save = () => {
    writeFileSync(`${file}.next`, serialize(parts().map((part) => part.dump())))
    renameSync(`${file}.next`, file)
  }
  let inside = false
  return (action) => {
    if (inside) return action()
    takeLock(lock)
    inside = true
    try {
      load()
      const answer = action()
      save()
      return answer
    } finally {
      inside = false
      rmSync(lock)
    }
  }
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function takeLock(lock: string): void {
  for (let waited = 0; ; waited += waitMs) {
    try {
      closeSync(openSync(lock, 'wx'))
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST') || waited > giveUpMs) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs)
    }
  }
}

/** Fills a map from what was dumped of it. */
export function refill<K, V>(map: Map<K, V>, dumped: ReadonlyMap<K, V>): void {
  map.clear()
  for (const [key, value] of dumped) map.set(key, value)
}
