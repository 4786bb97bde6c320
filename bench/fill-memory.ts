import { ftruncateSync, openSync, readFileSync, readSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const fillerBytes = 8 * 2 ** 40
const part = Buffer.alloc(4 * 2 ** 20)

/** Where less is free, nothing need be filled. */
const leastFree = 4 * 2 ** 30

interface Filler {
  readonly file: number
  /** Bytes of it that were read. */
  read: number
}

let filler: Filler | undefined

/** A file of nothing but holes, without a name: it goes with this process. */
function openFiller(): Filler {
  const path = join(process.env.HOLDFAST_BENCH_FOLDER ?? tmpdir(), `holdfast-bench-filler-${process.pid}`)
  const file = openSync(path, 'wx+')
  unlinkSync(path)
  ftruncateSync(file, fillerBytes)
  return { file, read: 0 }
}

function freeBytes(): number {
  const [, kib] = /^MemFree:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8')) ?? []
  if (kib === undefined) throw new Error('/proc/meminfo does not tell what is free.')
  return Number(kib) * 1024
}

function readMore(bytes: number): void {
  filler ??= openFiller()
  for (const end = filler.read + bytes; filler.read < end; filler.read += part.length)
    readSync(filler.file, part, 0, part.length, filler.read)
}

/**
 * Leaves no memory free but what the system keeps to itself: the rest holds pages of a file that has been read, which are given to whoever asks next. The host of a virtual machine may
 * take memory back that is free; whoever touches it first waits until it is there again, several times as long as for the work itself, and it is chance which of two programs that is.
 */
export function fillMemory(): void {
  const first = filler === undefined
  const began = freeBytes()
  for (let before = Number.POSITIVE_INFINITY, free = began; free < before * 0.9; free = freeBytes()) {
    before = free
    readMore(free)
  }
  if (first && began > leastFree && freeBytes() > began / 2)
    throw new Error('The memory cannot be filled from this file system: set HOLDFAST_BENCH_FOLDER to a folder on a disk.')
}
