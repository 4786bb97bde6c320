import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from '../peers/locations.ts'

/**
 * Writes generated files, or compares them and fails the process with the first difference and the command that accepts it.
 *
 * @param texts - path relative to the root of the repository -> what the file must hold
 */
export function keepGenerated(texts: ReadonlyMap<string, string>, options: { write: boolean; command: string }): void {
  for (const [path, text] of texts) {
    const target = join(root, path)
    const before = existsSync(target) ? readFileSync(target, 'utf8') : ''
    if (before === text) continue
    if (options.write) {
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, text)
      process.stdout.write(`${path} written\n`)
      continue
    }
    process.stdout.write(`${path} is not up to date:\n${difference(before, text)}\nAccept it with: ${options.command}\n`)
    process.exitCode = 1
  }
}

/** Lines that only one of two texts has, at most twenty; enough to see what changed in a list. */
export function difference(before: string, after: string): string {
  const [old, now] = [before.split('\n'), after.split('\n')]
  const gone = old.filter((line) => !now.includes(line)).map((line) => `- ${line}`)
  const added = now.filter((line) => !old.includes(line)).map((line) => `+ ${line}`)
  const lines = [...gone, ...added]
  if (lines.length === 0) return '  (the same lines in another order or number)'
  return [...lines.slice(0, 20), ...(lines.length > 20 ? [`  ... ${lines.length - 20} more`] : [])].join('\n')
}
