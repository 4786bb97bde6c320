import { clusterBytes } from './clusters.ts'

/** The part of WebAssembly that is used here; the types of Node do not have it. */
interface WebAssemblyMemory {
  readonly Memory: new (descriptor: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
}

/**
 * Buffers that begin on a memory page, so that whoever gets them lent may write them past the page cache (`O_DIRECT`), which halves the cost of a durable write.
 * WebAssembly memory is the only aligned memory JavaScript has; its pages cost nothing until they are touched. Where it is refused, any memory does.
 * @param size A multiple of 64 KiB.
 */
export function alignedBuffers(count: number, size: number): Buffer[] {
  try {
    const { Memory } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyMemory }).WebAssembly
    const memory = new Memory({ initial: (count * size) / clusterBytes })
    return Array.from({ length: count }, (_, position) => Buffer.from(memory.buffer, position * size, size))
  } catch {
    return Array.from({ length: count }, () => Buffer.allocUnsafeSlow(size))
  }
}
