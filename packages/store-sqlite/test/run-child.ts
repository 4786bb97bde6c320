import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./store-child.ts', import.meta.url))

export interface Child {
  readonly process: ChildProcess
  readonly lines: readonly string[]
  /** Resolves when the child has said this many lines; rejects if it ends before. */
  said(count: number): Promise<void>
  /** Resolves when the child has ended and everything it said is in `lines`. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/** Starts `store-child.ts` in a process of its own. */
export function runChild(...parameters: readonly string[]): Child {
  const child = spawn(process.execPath, ['--conditions=@holdfast/source', script, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => lines.push(line))
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]).then(([[code, signal]]) => ({ code, signal }))
  const said = async (count: number): Promise<void> => {
    while (lines.length < count) {
      const line = await Promise.race([once(reader, 'line').then(() => true), ended.then(() => false)])
      if (!line && lines.length < count) throw new Error(`the child ended after ${lines.length} lines: ${lines.join(' | ')}`)
    }
  }
  return { process: child, lines, said, ended }
}
