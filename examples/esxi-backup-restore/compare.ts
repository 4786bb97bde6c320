import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

type Say = (line: string) => void

/** Runs another program, and tells what it says. Undefined: it is not installed. */
function run(words: readonly [string, ...string[]], folder: string, say: Say): Promise<boolean | undefined> {
  const [program, ...rest] = words
  return new Promise((resolve) => {
    execFile(program, rest, { cwd: folder }, (error, stdout, stderr) => {
      const missing = error?.code === 'ENOENT'
      say(missing ? `${program} is not installed` : `$ ${words.join(' ')}`)
      for (const line of `${stdout}${stderr}`.split('\n').filter((one) => one !== '')) say(`  ${line}`)
      resolve(missing ? undefined : error === null)
    })
  })
}

async function filesIn(folder: string, fits: (path: string) => boolean): Promise<readonly string[]> {
  const paths = await readdir(folder, { recursive: true })
  return paths
    .filter(fits)
    .map((path) => join(folder, path))
    .sort()
}

/** The disks of a point, as they were exported. */
export const disksIn = (repository: string, point: string) => filesIn(repository, (path) => path.includes(point) && path.endsWith('.vmdk'))

/** The list of sums of each package, read by `sha256sum`. */
export async function checkPackages(repository: string, say: Say): Promise<boolean> {
  const lists = await filesIn(repository, (path) => path.endsWith('.mf'))
  const good: unknown[] = []
  for (const list of lists) good.push(await run(['sha256sum', '-c', list.slice(dirname(list).length + 1)], dirname(list), say))
  return good.length > 0 && good.every((one) => one === true)
}

/** What a guest sees on the disks, compared by `qemu-img` whatever their formats; where that is missing by `cmp`, which can do it for raw ones. */
export async function compareDisks(originals: readonly string[], copies: readonly string[], say: Say): Promise<boolean> {
  let same = originals.length > 0 && originals.length === copies.length
  for (const [index, original] of originals.entries()) {
    const pair = [original, copies[index] ?? ''] as const
    same = ((await run(['qemu-img', 'compare', ...pair], '.', say)) ?? (await run(['cmp', ...pair], '.', say)) ?? false) && same
  }
  return same
}
