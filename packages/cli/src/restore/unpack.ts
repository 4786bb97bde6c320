import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  openSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import {
  type ByteStream,
  createTarScanner,
  HoldfastError,
  readTarAttributes,
  type TarContext,
  type TarEntry,
  type TarHeader,
} from '@holdfast/core/spec'
import { type Attributes, allowedMode, bytesOfPath, type FolderWalk, folderWalk, pathOfText, shownPath } from './folder-walk.ts'

/** What was made of an archive, and what of it could not be made. */
export interface Unpacked {
  readonly files: number
  readonly folders: number
  readonly links: number
  /** In sentences. */
  readonly warnings: readonly string[]
}

/** Things of one kind that deserve one warning, and the first of them. */
interface Tally {
  count: number
  first: string
}
type TallyName = 'skipped' | 'leaving' | 'attributes' | 'owners' | 'twice'

interface State {
  readonly root: string
  readonly superuser: boolean
  readonly context: TarContext
  readonly walk: FolderWalk
  readonly tallies: { readonly [name in TallyName]: Tally }
  readonly made: { files: number; folders: number; links: number }
  open: { readonly descriptor: number; readonly path: string; readonly attributes: Attributes } | undefined
}

/**
 * Unpacks an archive into an empty folder, as it streams. Refused with PATH_OUTSIDE: names that are absolute or have a `..`, and whatever would be made
 * through a link of the same archive; so nothing is ever written outside of the folder. Symbolic links are made as they are, wherever they point: they are
 * content. Devices, pipes and what is not known are left out with a warning. Owners are set for the superuser only.
 *
 * The calls are synchronous: of many small files that is the fastest, and while the archive is read and decompressed in other threads nothing waits here.
 * Throws the errors of the file system as they are. Files are complete, not durable.
 */
export async function unpack(
  stream: ByteStream,
  root: string,
  options: { readonly what: string; readonly superuser: boolean },
): Promise<Unpacked> {
  const state = stateOf(root, options)
  const scanner = createTarScanner({
    ...state.context,
    onHeader: refuseKind,
    onEntry: (entry) => entered(state, entry),
    onContent: (bytes) => content(state, bytes),
  })
  try {
    for await (const chunk of stream) scanner.write(chunk)
    scanner.end()
    endFile(state)
    state.walk.end()
  } finally {
    if (state.open !== undefined) closeSync(state.open.descriptor)
    await stream[Symbol.asyncDispose]?.()
  }
  return { ...state.made, warnings: warningsOf(state) }
}

function stateOf(root: string, { what, superuser }: { readonly what: string; readonly superuser: boolean }): State {
  const path = pathOfText(root)
  const tally = (): Tally => ({ count: 0, first: '' })
  return {
    root: path,
    superuser,
    context: { what, code: 'POINT_DAMAGED' },
    walk: folderWalk(path, superuser),
    tallies: { skipped: tally(), leaving: tally(), attributes: tally(), owners: tally(), twice: tally() },
    made: { files: 0, folders: 0, links: 0 },
    open: undefined,
  }
}

/** Readers of tar differ about names in these. */
function refuseKind({ format, flag }: TarHeader): void {
  if (format === 'unknown' || format === 'star') throw notUnpacked(`a header of the kind "${format}"`)
  if (flag === 'S') throw notUnpacked('a sparse file')
}

function notUnpacked(what: string): HoldfastError {
  return new HoldfastError('UNSUPPORTED', `the archive has ${what}, which this command does not unpack`, {
    remedy: 'Restore it without --extract, and unpack the .tar with GNU tar.',
  })
}

const largestId = 2 ** 32 - 2

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

function entered(state: State, entry: TarEntry): void {
  endFile(state)
  for (const key of entry.pax.keys()) {
    if (key.startsWith('GNU.sparse.')) throw notUnpacked('a sparse file')
    if (key.startsWith('SCHILY.xattr.') || key.startsWith('SCHILY.acl.') || key.startsWith('LIBARCHIVE.xattr.'))
      note(state, 'attributes', latin1(entry.name))
  }
  const text = latin1(entry.name)
  const names = partsOf(text, 'a name')
  const attributes = readTarAttributes(entry, state.context)
  // Old writers have no type for folders but the slash at the end.
  const isFolder = entry.type === 'directory' || (entry.type === 'file' && text.endsWith('/'))
  const name = names.at(-1)
  if (attributes.uid > largestId || attributes.gid > largestId || attributes.uid < 0 || attributes.gid < 0)
    throw new HoldfastError(
      'POINT_DAMAGED',
      `the archive gives ${shownPath(text)} an owner that is none: ${attributes.uid}:${attributes.gid}`,
    )
  if (isFolder) {
    if (entry.size > 0) throw new HoldfastError('POINT_DAMAGED', `the archive has the folder ${shownPath(text)} with content like a file`)
    state.walk.folder(names, attributes)
    state.made.folders++
  } else if (name === undefined) throw outside('an entry in place of the folder itself', text)
  else make(state, entry, names.slice(0, -1), name, attributes)
}

/** The parts of a path. The scanner has refused what is absolute or climbs out; here `a/../b` is refused too, which could lead through a link. */
function partsOf(path: string, what: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (path.startsWith('/') || parts.includes('..')) throw outside(what, path)
  return parts
}

const outside = (what: string, name: string): HoldfastError =>
  new HoldfastError('PATH_OUTSIDE', `the archive has ${what} that leads out of its folder: ${shownPath(name)}`)

function make(state: State, entry: TarEntry, folder: readonly string[], name: string, attributes: Attributes): void {
  const at = () => `${state.walk.enter(folder)}/${name}`
  if (entry.type === 'file') beginFile(state, at(), attributes)
  else if (entry.type === 'symlink') makeSymlink(state, at(), folder.length, latin1(entry.linkName), attributes)
  else if (entry.type === 'link') makeLink(state, at(), latin1(entry.linkName))
  else note(state, 'skipped', `${[...folder, name].join('/')} (${entry.type})`)
}

/** A name that comes twice is replaced, as tar does it; a folder is not. */
function replacing<Result>(state: State, path: string, make: (path: Buffer) => Result): Result {
  const bytes = bytesOfPath(path)
  try {
    return make(bytes)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    if (lstatSync(bytes).isDirectory())
      throw new HoldfastError('POINT_DAMAGED', `the archive has ${shownPath(path)} as a folder and as something else`)
    note(state, 'twice', path.slice(state.root.length + 1))
    unlinkSync(bytes)
    return make(bytes)
  }
}

const createNew = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

function beginFile(state: State, path: string, attributes: Attributes): void {
  const descriptor = replacing(state, path, (bytes) => openSync(bytes, createNew, 0o600))
  state.open = { descriptor, path, attributes }
  state.made.files++
}

function content({ open }: State, bytes: Uint8Array): void {
  // Of what was left out.
  if (open === undefined) return
  for (let done = 0; done < bytes.length; ) done += writeSync(open.descriptor, bytes, done)
}

function endFile(state: State): void {
  if (state.open === undefined) return
  const { descriptor, attributes } = state.open
  const { mode, uid, gid, modified } = attributes
  if (state.superuser) fchownSync(descriptor, uid, gid)
  else note(state, 'owners', '')
  fchmodSync(descriptor, allowedMode(mode, state.superuser))
  futimesSync(descriptor, modified, modified)
  state.open = undefined
  closeSync(descriptor)
}

function makeSymlink(state: State, path: string, depth: number, target: string, { uid, gid, modified }: Attributes): void {
  const bytes = replacing(state, path, (name) => {
    symlinkSync(bytesOfPath(target), name)
    return name
  })
  if (state.superuser) lchownSync(bytes, uid, gid)
  lutimesSync(bytes, modified, modified)
  state.made.links++
  if (leaves(target, depth)) note(state, 'leaving', `${path.slice(state.root.length + 1)} -> ${target}`)
}

/** Whether a link at this depth points out of the folder. */
function leaves(target: string, depth: number): boolean {
  let at = depth
  for (const part of target.split('/')) {
    if (part === '..') at--
    else if (part !== '' && part !== '.') at++
    if (at < 0) return true
  }
  return target.startsWith('/')
}

/** One more name of a file that was made before. `link` does not follow a link in the last part; the parts before it are looked at here. */
function makeLink(state: State, path: string, target: string): void {
  const names = partsOf(target, 'a hard link')
  let folder = state.root
  for (const name of names.slice(0, -1)) {
    folder = `${folder}/${name}`
    if (lstatSync(bytesOfPath(folder), { throwIfNoEntry: false })?.isDirectory() !== true)
      throw outside('a hard link through something else', target)
  }
  const source = `${folder}/${names.at(-1) ?? ''}`
  const about = names.length === 0 ? undefined : lstatSync(bytesOfPath(source), { throwIfNoEntry: false })
  if (about === undefined || about.isDirectory())
    throw new HoldfastError('POINT_DAMAGED', `the archive has a hard link to ${shownPath(target)}, which is no file of it`)
  if (source !== path) replacing(state, path, (name) => linkSync(bytesOfPath(source), name))
  state.made.links++
}

function note({ tallies }: State, kind: TallyName, first: string): void {
  const tally = tallies[kind]
  if (tally.count === 0) tally.first = Buffer.from(first, 'latin1').toString('utf8')
  tally.count++
}

function warningsOf({ context: { what }, tallies, superuser }: State): readonly string[] {
  const { skipped, leaving, attributes, owners, twice } = tallies
  const warnings: string[] = []
  if (skipped.count > 0)
    warnings.push(`${what}: ${skipped.count} left out: no files, folders or links (devices, pipes); the first is ${skipped.first}`)
  if (leaving.count > 0)
    warnings.push(`${what}: symbolic links that lead out of the folder: ${leaving.count}, made as they are; the first is ${leaving.first}`)
  if (attributes.count > 0)
    warnings.push(
      `${what}: extended attributes of ${attributes.count} entries are not set; the first is ${attributes.first}. GNU tar --xattrs sets them`,
    )
  if (twice.count > 0)
    warnings.push(
      `${what}: ${twice.count} names came twice, the later one was kept; the first is ${twice.first}. Was each of them meant to be another file? Not every file system tells A from a`,
    )
  if (owners.count > 0 && !superuser) warnings.push(`${what}: owners are not set, because only root may: all files are yours`)
  return warnings
}
