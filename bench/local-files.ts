import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs'
import { extname, join } from 'node:path'
import { root } from '../scripts/peers/locations.ts'
import { shuffled } from './seeded-bytes.ts'

const textEndings = new Set([
  '.c',
  '.cjs',
  '.css',
  '.h',
  '.hpp',
  '.html',
  '.js',
  '.json',
  '.md',
  '.mjs',
  '.pl',
  '.pm',
  '.py',
  '.sh',
  '.ts',
  '.txt',
])
const textFolders = ['/usr/include', '/usr/share', '/usr/lib/python3', '/usr/lib/node_modules', join(root, 'node_modules')]
const binaryFolders = ['/usr/lib', '/usr/bin', '/usr/sbin', '/usr/libexec']

/** Source text of this machine, its files in an order that depends on the seed. Starts again when it has ended. */
export function sourceText(seed: string): Generator<Buffer, never, undefined> {
  const paths = filesBelow(textFolders, (path, size) => textEndings.has(extname(path)) && size > 0 && size < 1 << 20)
  return contents(shuffled(paths, seed), () => true)
}

/** Programs and libraries of this machine. */
export function binaries(seed: string): Generator<Buffer, never, undefined> {
  const paths = filesBelow(binaryFolders, (path, size) => !textEndings.has(extname(path)) && size > 1 << 15 && size < 1 << 26)
  return contents(shuffled(paths, seed), (bytes) => bytes.readUInt32BE() === 0x7f454c46)
}

function* contents(paths: readonly string[], fits: (bytes: Buffer) => boolean): Generator<Buffer, never, undefined> {
  for (;;) {
    let found = false
    for (const path of paths) {
      let bytes: Buffer
      try {
        bytes = readFileSync(path)
      } catch {
        continue
      }
      if (!fits(bytes)) continue
      found = true
      yield bytes
    }
    if (!found) throw new Error('This machine has none of the files that the data is made of.')
  }
}

function filesBelow(folders: readonly string[], fits: (path: string, size: number) => boolean): readonly string[] {
  return folders.flatMap((folder) => [...walk(folder)].filter((path) => fits(path, statSync(path).size)))
}

/** Not `readdir` with `recursive`: that follows symbolic links, of which some lead to their own folder. */
function* walk(folder: string): Generator<string, void, undefined> {
  let entries: readonly Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of [...entries].sort((left, right) => (left.name < right.name ? -1 : 1))) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(path)
    else if (entry.isFile()) yield path
  }
}

/** Exactly so many bytes, cut from the pieces. */
export function* taken(pieces: Generator<Buffer, never, undefined>, bytes: number): Generator<Buffer, void, undefined> {
  for (let left = bytes; left > 0; ) {
    const piece = pieces.next().value.subarray(0, left)
    left -= piece.length
    yield piece
  }
}
