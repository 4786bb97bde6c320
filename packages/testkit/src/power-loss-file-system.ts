import type { FileSystem, FileSystemEntry, OpenFile } from '@holdfast/core/spec'
import { applyOperation, type Disk, type DiskNode, type DiskOperation, diskAfterPowerLoss, emptyDisk } from './power-loss-log.ts'

/** One life of a simulated disk, from when the power came until it is lost. */
export interface PowerLossFileSystem {
  /** What the code under test is given. Its errors are those of Linux, as Node gives them. */
  readonly fileSystem: FileSystem
  /** How many changes and syncs were made so far: a moment to which `afterPowerLoss` can go back. */
  readonly operations: number
  /** A new file system with what a power loss at this moment (default: now) leaves. Whoever uses the old one does not notice. */
  afterPowerLoss(random: { next(): number }, at?: number): PowerLossFileSystem
}

/**
 * A file system in memory whose plug can be pulled, again and again, at each moment of its past. It remembers every write, name and sync; what was not
 * synced, bytes by the file and names by the folder, may be lost, half there or whole. Its root is the folder `/`.
 */
export function powerLossFileSystem(): PowerLossFileSystem {
  return simulated([])
}

function simulated(log: DiskOperation[]): PowerLossFileSystem {
  const disk = emptyDisk()
  for (const operation of log) applyOperation(disk, operation)
  const world: World = {
    disk,
    nextNode: Math.max(...disk.keys()) + 1,
    apply(operation) {
      log.push(operation)
      applyOperation(disk, operation)
    },
  }
  return {
    fileSystem: fileSystemOf(world),
    get operations() {
      return log.length
    },
    afterPowerLoss: (random, at = log.length) => simulated(asSynced(diskAfterPowerLoss(log.slice(0, at), random))),
  }
}

/** What is there after the power came back is on the disk. */
function asSynced(disk: Disk): DiskOperation[] {
  return [...disk].flatMap(([node, { kind, target, bytes, names }]): DiskOperation[] => [
    ...(node === 1 ? [] : [{ type: 'make' as const, node, kind, ...(target !== undefined && { target }) }]),
    ...(bytes.length > 0 ? [{ type: 'write' as const, node, position: 0, bytes }] : []),
    ...(names.size > 0 ? [{ type: 'names' as const, node, changes: [...names] }] : []),
    { type: 'sync', node },
  ])
}

interface World {
  readonly disk: Disk
  nextNode: number
  apply(operation: DiskOperation): void
}

export function errnoError(code: string, syscall: string, path?: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${syscall}${path === undefined ? '' : ` '${path}'`}`), { code, syscall, path })
}

function find(world: World, path: string, syscall: string): number {
  let number = 1
  for (const name of path.split('/').filter((part) => part !== '')) {
    const node = world.disk.get(number) as DiskNode
    if (node.kind !== 'folder') throw errnoError('ENOTDIR', syscall, path)
    const next = node.names.get(name)
    if (next === undefined || !world.disk.has(next)) throw errnoError('ENOENT', syscall, path)
    number = next
  }
  return number
}

const nameIn = (path: string): string => path.slice(path.lastIndexOf('/') + 1)

function parentOf(world: World, path: string, syscall: string): number {
  const number = find(world, path.slice(0, path.lastIndexOf('/')), syscall)
  if (world.disk.get(number)?.kind !== 'folder') throw errnoError('ENOTDIR', syscall, path)
  return number
}

const isTaken = (world: World, path: string, syscall: string): boolean =>
  world.disk.get(parentOf(world, path, syscall))?.names.has(nameIn(path)) === true

function make(world: World, path: string, syscall: string, made: { readonly kind: DiskNode['kind']; readonly target?: string }): number {
  const parent = parentOf(world, path, syscall)
  if (isTaken(world, path, syscall)) throw errnoError('EEXIST', syscall, path)
  const node = world.nextNode++
  world.apply({ type: 'make', node, ...made })
  world.apply({ type: 'names', node: parent, changes: [[nameIn(path), node]] })
  return node
}

function entryOf(world: World, number: number): FileSystemEntry {
  const { kind, bytes } = world.disk.get(number) as DiskNode
  return { kind, size: bytes.length, modifiedAt: 0, identity: String(number) }
}

function openFile(world: World, number: number): OpenFile {
  let position = 0
  let open = true
  const requireOpen = (syscall: string): void => {
    if (!open) throw errnoError('EBADF', syscall)
  }
  return {
    async write(bytes) {
      requireOpen('write')
      world.apply({ type: 'write', node: number, position, bytes: new Uint8Array(bytes) })
      position += bytes.length
      return bytes.length
    },
    async read(target, at) {
      requireOpen('read')
      const part = (world.disk.get(number) as DiskNode).bytes.subarray(at, at + target.length)
      target.set(part)
      return part.length
    },
    async sync() {
      requireOpen('fsync')
      world.apply({ type: 'sync', node: number })
    },
    stat: async () => entryOf(world, number),
    async close() {
      requireOpen('close')
      open = false
    },
  }
}

function open(world: World, path: string, how: 'read' | 'create' | 'truncate' | 'folder'): OpenFile {
  if (how === 'create' || (how === 'truncate' && !isTaken(world, path, 'open')))
    return openFile(world, make(world, path, 'open', { kind: 'file' }))
  const number = find(world, path, 'open')
  const kind = world.disk.get(number)?.kind
  if (kind === 'link') throw errnoError('ELOOP', 'open', path)
  if (how === 'folder' && kind !== 'folder') throw errnoError('ENOTDIR', 'open', path)
  if (how === 'truncate') {
    if (kind === 'folder') throw errnoError('EISDIR', 'open', path)
    world.apply({ type: 'truncate', node: number })
  }
  return openFile(world, number)
}

function rename(world: World, from: string, to: string): void {
  const node = find(world, from, 'rename')
  const source = parentOf(world, from, 'rename')
  const goal = parentOf(world, to, 'rename')
  if (source !== goal) throw errnoError('EXDEV', 'rename', to)
  if (isTaken(world, to, 'rename') && find(world, to, 'rename') === node) return
  world.apply({
    type: 'names',
    node: source,
    changes: [
      [nameIn(from), undefined],
      [nameIn(to), node],
    ],
  })
}

function remove(world: World, path: string, syscall: 'unlink' | 'rmdir'): void {
  const node = world.disk.get(find(world, path, syscall)) as DiskNode
  if (syscall === 'unlink' && node.kind === 'folder') throw errnoError('EISDIR', syscall, path)
  if (syscall === 'rmdir' && node.kind !== 'folder') throw errnoError('ENOTDIR', syscall, path)
  if (node.names.size > 0) throw errnoError('ENOTEMPTY', syscall, path)
  world.apply({ type: 'names', node: parentOf(world, path, syscall), changes: [[nameIn(path), undefined]] })
}

function fileSystemOf(world: World): FileSystem {
  return {
    open: async (path, how) => open(world, path, how),
    async link(existing, path) {
      const node = find(world, existing, 'link')
      if (isTaken(world, path, 'link')) throw errnoError('EEXIST', 'link', path)
      world.apply({ type: 'names', node: parentOf(world, path, 'link'), changes: [[nameIn(path), node]] })
    },
    rename: async (from, to) => rename(world, from, to),
    unlink: async (path) => remove(world, path, 'unlink'),
    rmdir: async (path) => remove(world, path, 'rmdir'),
    symlink: async (target, path) => void make(world, path, 'symlink', { kind: 'link', target }),
    async readlink(path) {
      const { target } = world.disk.get(find(world, path, 'readlink')) as DiskNode
      if (target === undefined) throw errnoError('EINVAL', 'readlink', path)
      return target
    },
    mkdir: async (path) => void make(world, path, 'mkdir', { kind: 'folder' }),
    async readdir(path) {
      const { kind, names } = world.disk.get(find(world, path, 'scandir')) as DiskNode
      if (kind !== 'folder') throw errnoError('ENOTDIR', 'scandir', path)
      return [...names].flatMap(([name, node]) => (world.disk.has(node) ? [{ name, kind: entryOf(world, node).kind }] : []))
    },
    lstat: async (path) => entryOf(world, find(world, path, 'lstat')),
    async realpath(path) {
      find(world, path, 'realpath')
      return path
    },
    checkWritable: async (path) => void find(world, path, 'access'),
    space: async () => ({ freeBytes: 1 << 30, totalBytes: 1 << 31 }),
  }
}
