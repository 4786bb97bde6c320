import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Mount points at or below a folder, deepest first, so that they can be unmounted in this order. */
export function mountsBelow(folder: string, table: string = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  const points = table
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
  return points.filter((point) => point === folder || point.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length)
}

/** Unmounts all of them; throws when one stays. */
export function unmountBelow(folder: string): void {
  for (const point of mountsBelow(folder)) execFileSync('umount', [point], { stdio: ['ignore', 'ignore', 'pipe'] })
}
