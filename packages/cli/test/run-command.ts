import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, cp, lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { afterAll } from 'vitest'

const program = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url))

/** How a command ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs another program to its end. `onStart` gets the process. */
export function runProgram(
  name: string,
  words: readonly string[],
  options: {
    readonly folder?: string
    readonly user?: number
    readonly onStart?: (kill: (signal: NodeJS.Signals) => boolean) => void
  } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const { folder: cwd, user: uid } = options
    const child = spawn(name, [...words], {
      ...(cwd !== undefined && { cwd }),
      ...(uid !== undefined && { uid, gid: uid }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const stdout: string[] = []
    const stderr: string[] = []
    child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text))
    child.on('error', reject).on('close', (code) => resolve({ code, stdout: stdout.join(''), stderr: stderr.join('') }))
    options.onStart?.((signal) => child.kill(signal))
  })
}

/** The command as people run it: a process of its own, which knows nothing but the words. */
export const holdfast = (words: readonly string[], options?: Parameters<typeof runProgram>[2]): Promise<Ended> =>
  runProgram(process.execPath, [program, ...words], options)

/** The same as one file, as in a package: it starts in a third of the time. */
export async function bundledHoldfast(folder: string): Promise<typeof holdfast> {
  await build({
    config: false,
    entry: { holdfast: fileURLToPath(new URL('../src/main.ts', import.meta.url)) },
    outDir: folder,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    noExternal: [/.*/],
    silent: true,
    outExtension: () => ({ js: '.mjs' }),
    esbuildOptions(options) {
      options.conditions = ['@holdfast/source']
    },
  })
  // Another user runs it too.
  await chmod(folder, 0o755)
  return (words, options) => runProgram(process.execPath, [join(folder, 'holdfast.mjs'), ...words], options)
}

/** Folders that go when the tests of the file have ended. */
export function temporaryFolders(): { fresh(): Promise<string>; copyOf(folder: string): Promise<string> } {
  const made: string[] = []
  afterAll(async () => {
    for (const folder of made) await rm(folder, { recursive: true, force: true })
  })
  const fresh = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
    made.push(folder)
    return folder
  }
  return {
    fresh,
    async copyOf(folder) {
      const copy = join(await fresh(), 'repository')
      await cp(folder, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
      return copy
    },
  }
}

/** One value for everything in a folder: names, bytes, sizes, modes and times. */
export async function fingerprint(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const hash = createHash('sha256')
  for (const path of entries.map((entry) => join(entry.parentPath, entry.name)).sort()) {
    const { mode, mtimeMs, size } = await lstat(path)
    hash.update(JSON.stringify([relative(folder, path), mode, mtimeMs, size]))
    if ((mode & 0o170000) === 0o100000) hash.update(await readFile(path))
  }
  return hash.digest('hex')
}
