import { getEventListeners } from 'node:events'
import type { Worker } from 'node:worker_threads'
import {
  type ClusterSum,
  clusterBytes,
  type MappedBlocks,
  type PackedQcow2,
  type PackQcow2Options,
  type PackTarget,
  packQcow2,
} from '@holdfast/disk-image'
import { never, noise } from './support.ts'

/** A file in memory that refuses what a target is promised not to get: two writes at once, bytes that are written twice. */
export function memoryTarget(): PackTarget & { readonly writes: readonly number[]; bytes(): Buffer } {
  const written = new Map<number, Buffer>()
  const writes: number[] = []
  let busy = false
  return {
    writes,
    async write(bytes, offset) {
      if (busy) throw new Error('two writes at once')
      busy = true
      await new Promise((resolve) => setImmediate(resolve))
      if (offset % clusterBytes !== 0 || bytes.length % clusterBytes !== 0)
        throw new Error(`not whole clusters: ${bytes.length} at ${offset}`)
      for (let at = 0; at < bytes.length; at += clusterBytes) {
        if (written.has(offset + at)) throw new Error(`written twice: ${offset + at}`)
        written.set(offset + at, Buffer.from(bytes.subarray(at, at + clusterBytes)))
      }
      writes.push(offset)
      busy = false
    },
    bytes() {
      const offsets = [...written.keys()].sort((one, other) => one - other)
      if (offsets.some((offset, position) => offset !== position * clusterBytes)) throw new Error('the file has a hole')
      return Buffer.concat(offsets.map((offset) => written.get(offset) as Buffer))
    },
  }
}

export interface PackedImage extends PackedQcow2 {
  readonly file: Buffer
  readonly sums: readonly ClusterSum[]
}

/** A whole packed file in memory with its sums. */
export async function packedImage(blocks: MappedBlocks, options: Omit<PackQcow2Options, 'signal' | 'onSums'>): Promise<PackedImage> {
  const sums: ClusterSum[] = []
  const target = memoryTarget()
  const result = await packQcow2(blocks, target, { ...options, signal: never, onSums: (batch) => void sums.push(...batch) })
  return { ...result, file: target.bytes(), sums }
}

/** Bytes that can be packed, different for each seed. */
export function text(length: number, random: () => number): Buffer {
  const words = ['backup', 'of', 'a', 'machine', 'that', 'nobody', 'can', 'lose', 'and', 'its', 'disks', 'too', '\n']
  const pieces: string[] = []
  for (let size = 0; size < length; ) {
    const piece = `${words[Math.floor(random() * words.length)]} ${Math.floor(random() * 1000)} `
    pieces.push(piece)
    size += piece.length
  }
  return Buffer.from(pieces.join('')).subarray(0, length)
}

const contents = {
  random: noise,
  text,
  zeros: (length: number) => Buffer.alloc(length),
  mixed: (length: number, random: () => number) => {
    const disk = Buffer.alloc(length)
    for (let at = 0; at < length; ) {
      const part = disk.subarray(at, at + Math.ceil(random() * 20) * clusterBytes)
      const kind = random()
      if (kind < 0.4) noise(part.length, random).copy(part)
      else if (kind < 0.8) text(part.length, random).copy(part)
      at += part.length
    }
    return disk
  },
}

export type Content = keyof typeof contents
export const contentNames = Object.keys(contents) as readonly Content[]
export const contentOf = (name: Content, length: number, random: () => number): Buffer => contents[name](length, random)

/** Notes every thread that is started while `use` runs. */
export async function withThreads<T>(use: (threads: readonly Worker[]) => Promise<T>): Promise<T> {
  const threads: Worker[] = []
  const note = (thread: Worker) => void threads.push(thread)
  process.on('worker', note)
  try {
    return await use(threads)
  } finally {
    process.off('worker', note)
  }
}

/** A thread that has ended has no number. */
export const alive = (threads: readonly Worker[]): number => threads.filter((thread) => thread.threadId !== -1).length

export const abortListeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length
