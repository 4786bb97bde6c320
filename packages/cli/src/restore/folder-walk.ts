import { chmodSync, chownSync, lstatSync, mkdirSync, type Stats, utimesSync } from 'node:fs'
import { HoldfastError } from '@holdfast/core/spec'

// Names in an archive are bytes. Here they are texts in which each character is a byte (latin1), so that none is changed on its way to the disk.

/** What an archive says of a file or folder, as far as it can be set. */
export interface Attributes {
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Seconds since 1970-01-01 UTC. */
  readonly modified: number
}

interface Frame {
  readonly path: string
  readonly name: string
  /** Set when the folder is left: what is made in it changes its time, and its mode may forbid that anything is. */
  attributes: Attributes | 'as before' | undefined
  readonly before: Stats | undefined
}

/** Walks the folders of an archive while it is unpacked. Memory: one entry for each folder between the root and the place it is at. */
export interface FolderWalk {
  /** The path of the folder with these names, which is made if it is not there. Throws PATH_OUTSIDE when a part is a link or a file: nothing is written through it. */
  enter(names: readonly string[]): string
  /** Makes a folder; its attributes are set when everything in it has been made. */
  folder(names: readonly string[], attributes: Attributes): void
  /** Leaves all folders, the root too. */
  end(): void
}

export const bytesOfPath = (path: string): Buffer => Buffer.from(path, 'latin1')
export const pathOfText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')
export const shownPath = (path: string): string => JSON.stringify(bytesOfPath(path).toString('utf8').slice(0, 300))

/** Bits that only the owner may have set: without the owner they would give somebody else's rights away. */
export const allowedMode = (mode: number, superuser: boolean): number => mode & (superuser ? 0o7777 : 0o777)

export function folderWalk(root: string, superuser: boolean): FolderWalk {
  const top: Frame = { path: root, name: '', attributes: undefined, before: undefined }
  const frames: [Frame, ...Frame[]] = [top]
  const last = (): Frame => frames.at(-1) ?? top

  function leave(): void {
    const frame = last()
    settle(frame, superuser)
    if (frame !== top) frames.pop()
  }
  function enter(names: readonly string[]): string {
    let common = 0
    while (common < names.length && frames[common + 1]?.name === names[common]) common++
    while (frames.length > common + 1) leave()
    for (const name of names.slice(common)) frames.push(step(last().path, name, superuser))
    return last().path
  }
  return {
    enter,
    folder(names, attributes) {
      enter(names)
      last().attributes = attributes
    },
    end() {
      while (frames.length > 1) leave()
      leave()
    },
  }
}

function step(parent: string, name: string, superuser: boolean): Frame {
  const path = `${parent}/${name}`
  const before = lstatSync(bytesOfPath(path), { throwIfNoEntry: false })
  if (before === undefined) {
    mkdirSync(bytesOfPath(path), 0o700)
    return { path, name, attributes: undefined, before }
  }
  if (!before.isDirectory()) {
    const what = before.isSymbolicLink() ? 'a symbolic link' : 'a file'
    throw new HoldfastError('PATH_OUTSIDE', `the archive has an entry below ${shownPath(path)}, which is ${what} in the same archive`)
  }
  if (!superuser && (before.mode & 0o700) !== 0o700) chmodSync(bytesOfPath(path), before.mode | 0o700)
  return { path, name, attributes: 'as before', before }
}

/** Owner, then mode (a change of owner takes bits off), then time. */
function settle({ path, attributes, before }: Frame, superuser: boolean): void {
  const bytes = bytesOfPath(path)
  if (attributes === 'as before') {
    if (before === undefined) return
    chmodSync(bytes, before.mode & 0o7777)
    utimesSync(bytes, before.atime, before.mtime)
  } else if (attributes === undefined) chmodSync(bytes, 0o755)
  else {
    const { mode, uid, gid, modified } = attributes
    if (superuser) chownSync(bytes, uid, gid)
    chmodSync(bytes, allowedMode(mode, superuser))
    utimesSync(bytes, modified, modified)
  }
}
