/** What happened to a simulated disk, in order. Nodes (files, folders, links) are known by number; 1 is the root folder. */
export type DiskOperation =
  | { readonly type: 'make'; readonly node: number; readonly kind: 'file' | 'folder' | 'link'; readonly target?: string }
  | { readonly type: 'write'; readonly node: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly node: number }
  /** Names in one folder, changed in one step: a rename takes one away and gives another. */
  | { readonly type: 'names'; readonly node: number; readonly changes: readonly (readonly [name: string, node: number | undefined])[] }
  | { readonly type: 'sync'; readonly node: number }

export interface DiskNode {
  readonly kind: 'file' | 'folder' | 'link'
  readonly target?: string
  bytes: Uint8Array
  readonly names: Map<string, number>
}

export type Disk = Map<number, DiskNode>

export function emptyDisk(): Disk {
  return new Map([[1, { kind: 'folder', bytes: new Uint8Array(0), names: new Map() }]])
}

export function applyOperation(disk: Disk, operation: DiskOperation): void {
  const { type } = operation
  if (type === 'make') {
    const { kind, target } = operation
    disk.set(operation.node, { kind, ...(target !== undefined && { target }), bytes: new Uint8Array(0), names: new Map() })
    return
  }
  const node = disk.get(operation.node)
  if (!node || type === 'sync') return
  if (type === 'truncate') node.bytes = new Uint8Array(0)
  if (type === 'write') {
    const grown = new Uint8Array(Math.max(node.bytes.length, operation.position + operation.bytes.length))
    grown.set(node.bytes)
    grown.set(operation.bytes, operation.position)
    node.bytes = grown
  }
  if (type !== 'names') return
  for (const [name, number] of operation.changes) {
    if (number === undefined) node.names.delete(name)
    else node.names.set(name, number)
  }
}

/**
 * The disk after a power loss at the end of these operations, as badly as POSIX allows: what was synced is there; of the rest any part is, in any
 * combination but never out of order for one node, and a write may be there in part or as zeros.
 */
export function diskAfterPowerLoss(operations: readonly DiskOperation[], random: { next(): number }): Disk {
  const disk = emptyDisk()
  const lastSync = new Map<number, number>()
  for (const [index, operation] of operations.entries()) if (operation.type === 'sync') lastSync.set(operation.node, index)
  for (const [index, operation] of operations.entries()) {
    const certain = operation.type === 'make' || index < (lastSync.get(operation.node) ?? -1)
    if (certain) applyOperation(disk, operation)
    else applyOperation(disk, weakened(operation, random))
  }
  return disk
}

const nothing: DiskOperation = { type: 'sync', node: 0 }

function weakened(operation: DiskOperation, random: { next(): number }): DiskOperation {
  const chance = random.next()
  if (chance < 0.4) return nothing
  if (operation.type !== 'write' || chance < 0.7) return operation
  const bytes = new Uint8Array(operation.bytes)
  const cut = Math.floor(random.next() * bytes.length)
  return { ...operation, bytes: chance < 0.85 ? bytes.subarray(0, cut) : bytes.fill(0, cut) }
}
