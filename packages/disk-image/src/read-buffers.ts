import { clusterBytes } from './clusters.ts'

/** The part of WebAssembly that is used here; the types of Node do not have it. */
interface WebAssemblyMemory {
  readonly Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
}

/** Disks below this size are not worth aligned memory, which costs more to get than to fill. */
const smallDisk = 16 * 1024 * 1024

/**
 * Buffers to read a disk with. Those for large disks begin on a memory page, so that whoever gets them lent may write them past the page cache (`O_DIRECT`), which halves the cost of a durable write.
 * WebAssembly memory is the only aligned memory JavaScript has; its pages cost nothing until they are touched. Where it is refused, any memory does.
 * @param size Bytes of each; a multiple of 64 KiB.
 */
export function readBuffers(diskSize: number, count: number, size: number): Buffer[] {
  if (diskSize < smallDisk) return Array.from({ length: count }, () => Buffer.allocUnsafeSlow(size))
  try {
    const { Memory } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyMemory }).WebAssembly
    const memory = new Memory({ initial: (count * size) / clusterBytes })
    return Array.from({ length: count }, (_, position) => Buffer.from(memory.buffer, position * size, size))
  } catch {
    return Array.from({ length: count }, () => Buffer.allocUnsafeSlow(size))
  }
}
