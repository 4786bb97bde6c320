import { constants } from 'node:fs'
import { type FileHandle, mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { codeOf } from '../spec/errors.ts'
import { directWriter, type WriteHandle } from './direct-writer.ts'
import { type PiecePool, pieceBytes, piecePool } from './piece-pool.ts'

interface Attempt {
  readonly position: number
  readonly length: number
}

let folder: string
let path: string
let file: FileHandle
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'direct-writer-'))
  path = join(folder, 'file')
  file = await open(path, 'wx')
})
afterEach(async () => {
  await file.close()
  await rm(folder, { recursive: true })
})

const errno = (code: string) => Object.assign(new Error(code), { code, syscall: 'write' })
const openOnceMore = () => open(path, constants.O_WRONLY)

/** The file opened once more, without O_DIRECT, so that every file system of a test machine has it; `act` decides what the system says. */
function stubbed(act: (attempt: Attempt, write: () => Promise<{ bytesWritten: number }>) => Promise<{ bytesWritten: number }>) {
  const attempts: Attempt[] = []
  let opened = 0
  let closed = 0
  const openDirect = async (): Promise<WriteHandle> => {
    opened++
    const handle = await openOnceMore()
    return {
      write(bytes, offset, length, position) {
        attempts.push({ position, length })
        return act({ position, length }, () => handle.write(bytes, offset, length, position))
      },
      async close() {
        closed++
        await handle.close()
      },
    }
  }
  return {
    attempts,
    openDirect,
    get opened() {
      return opened
    },
    get closed() {
      return closed
    },
  }
}

/** Memory on a page, as disks come in. */
const aligned = (bytes: number): Uint8Array => (piecePool().take()[0] as Uint8Array).subarray(0, bytes)

const repeated = (seed: number, length: number): Buffer => {
  const random = seededRandom(seed)
  const block = Buffer.from(Array.from({ length: 4099 }, () => random.below(256)))
  return Buffer.alloc(length, block)
}

async function written(
  content: Buffer,
  chunkBytes: (random: { below(most: number): number }) => number,
  openDirect?: () => Promise<WriteHandle>,
) {
  const random = seededRandom(content.length)
  const writer = directWriter(file, piecePool(), openDirect)
  for (let at = 0; at < content.length; ) {
    const chunk = Buffer.from(content.subarray(at, at + chunkBytes(random)))
    await writer.write(chunk)
    at += chunk.length
    chunk.fill(0) // it is its owner's again
  }
  await writer.flush()
  expect(writer.size).toBe(content.length)
  await writer.close()
}

const small = (random: { below(most: number): number }) => 1 + random.below(100_000)
const large = (random: { below(most: number): number }) => pieceBytes - 5000 + random.below(10_000)

describe('direct writer', () => {
  const realDirect = () => open(path, constants.O_WRONLY | constants.O_DIRECT)
  const sizes = [0, 1, 511, 4096, pieceBytes - 1, pieceBytes, pieceBytes + 1, 9 * pieceBytes + 12_345]
  for (const size of sizes) {
    it.each([
      ['small chunks', small, realDirect],
      ['small chunks, through the cache', small, undefined],
      ['large chunks', large, realDirect],
      ['large chunks, through the cache', large, undefined],
    ] as const)(`writes ${size} bytes given in %s`, async (_, chunkBytes, openDirect) => {
      const content = repeated(size, size)
      await written(content, chunkBytes, openDirect)
      expect((await readFile(path)).equals(content)).toBe(true)
    })
  }

  it('writes what it gathers in aligned pieces, and the odd end through the cache', async () => {
    const direct = stubbed((_, write) => write())
    const content = repeated(1, 5 * pieceBytes + 4096 + 77)
    await written(content, small, direct.openDirect)
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(direct.attempts.toSorted((one, other) => one.position - other.position)).toEqual(
      Array.from({ length: 5 }, (_, number) => ({ position: number * pieceBytes, length: pieceBytes })),
    )
    expect([direct.opened, direct.closed]).toEqual([1, 1])
  })

  it('opens nothing besides for a file below one piece', async () => {
    const direct = stubbed((_, write) => write())
    await written(repeated(1, pieceBytes - 1), small, direct.openDirect)
    expect([direct.opened, direct.closed]).toEqual([0, 0])
  })

  it('writes a large aligned chunk as it lies there', async () => {
    const direct = stubbed((_, write) => write())
    const pool = countingPool()
    const writer = directWriter(file, pool, direct.openDirect)
    for (let count = 1; count <= 3; count++) await writer.write(aligned(512 << 10).fill(count))
    await writer.flush()
    await writer.close()
    expect(direct.attempts.map(({ length }) => length)).toEqual([512 << 10, 512 << 10, 512 << 10])
    expect(pool.takes).toBe(0)
    const found = await readFile(path)
    for (const count of [1, 2, 3]) expect(found.subarray((count - 1) << 19, count << 19).equals(Buffer.alloc(1 << 19, count))).toBe(true)
  })

  it('copies chunks that the system does not take as they lie, after it was refused once', async () => {
    const lengths = pieceBytes / 2
    const direct = stubbed(({ length }, write) => (length === lengths ? Promise.reject(errno('EINVAL')) : write()))
    const content = repeated(2, 6 * pieceBytes)
    await written(content, () => lengths, direct.openDirect)
    expect((await readFile(path)).equals(content)).toBe(true)
    expect(direct.attempts.filter(({ length }) => length === lengths)).toHaveLength(1)
    expect(direct.attempts.filter(({ length }) => length === pieceBytes)).toHaveLength(6)
  })

  it.each(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP'])(
    'goes on buffered where the file system refuses with %s, at opening or at the first write',
    async (code) => {
      const content = repeated(3, 9 * pieceBytes + 5)
      let asked = 0
      await written(content, small, async () => {
        asked++
        throw errno(code)
      })
      expect((await readFile(path)).equals(content)).toBe(true)
      expect(asked).toBe(1)
      await file.truncate(0)
      const direct = stubbed(() => Promise.reject(errno(code)))
      await written(content, large, direct.openDirect)
      expect((await readFile(path)).equals(content)).toBe(true)
      // Those that were under way together.
      expect(direct.attempts.length).toBeLessThan(6)
      expect(direct.closed).toBe(1)
    },
  )

  it.each(['ENOENT', 'EMFILE'])('goes on buffered when the file cannot be opened once more: %s', async (code) => {
    const content = repeated(5, 3 * pieceBytes)
    await written(content, large, () => Promise.reject(errno(code)))
    expect((await readFile(path)).equals(content)).toBe(true)
  })

  it('finishes what the system took in part', async () => {
    const random = seededRandom(4)
    const direct = stubbed(({ position, length }, write) => {
      if (random.chance(0.5)) return write()
      const taken = 512 * (1 + random.below(length / 512 - 1))
      return file.write(content.subarray(position, position + taken), 0, taken, position)
    })
    const content = repeated(4, 12 * pieceBytes + 1)
    await written(content, small, direct.openDirect)
    expect((await readFile(path)).equals(content)).toBe(true)
  })
})

function countingPool(): PiecePool & { readonly takes: number; readonly out: number } {
  const inner = piecePool()
  const counts = { takes: 0, out: 0 }
  return {
    take() {
      counts.takes++
      counts.out++
      return inner.take()
    },
    give(pieces) {
      counts.out--
      inner.give(pieces)
    },
    get takes() {
      return counts.takes
    },
    get out() {
      return counts.out
    },
  }
}

describe('direct writer, when the disk is slow or fails', () => {
  it('takes no more than four pieces ahead of the disk, and closing waits for what is under way', async () => {
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const direct = stubbed(async (_, write) => {
      await released
      return write()
    })
    const pool = countingPool()
    const writer = directWriter(file, pool, direct.openDirect)
    let taken = 0
    const chunk = Buffer.alloc(100_000, 1)
    const writing = (async () => {
      for (; taken < 80; taken++) await writer.write(chunk)
    })()
    await expect.poll(() => direct.attempts.length).toBe(4)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(taken).toBe(Math.floor((4 * pieceBytes) / chunk.length))
    expect([pool.takes, pool.out]).toEqual([1, 1])
    release()
    await writing
    await writer.close()
    expect(pool.out).toBe(0)
    expect(direct.attempts).toHaveLength(7)
  })

  it.each(['EIO', 'ENOSPC'])('tells %s of a piece at a later write or at the flush, and writes no more', async (code) => {
    const direct = stubbed(({ position }, write) => (position === pieceBytes ? Promise.reject(errno(code)) : write()))
    const writer = directWriter(file, piecePool(), direct.openDirect)
    const writeMuch = async () => {
      for (let count = 0; count < 50; count++) await writer.write(Buffer.alloc(pieceBytes / 2 + 1, 1))
    }
    expect(await writeMuch().catch(codeOf)).toBe(code)
    expect(await writer.flush().catch(codeOf)).toBe(code)
    await writer.close()
    expect(direct.attempts.length).toBeLessThan(8)

    const last = directWriter(file, piecePool(), stubbed(() => Promise.reject(errno(code))).openDirect)
    for (let count = 0; count < 6; count++) await last.write(Buffer.alloc(200_000, 1))
    expect(await last.flush().catch(codeOf)).toBe(code)
    await last.close()
  })

  it('uses the memory of one file again for the next', async () => {
    const pool = piecePool()
    const first = pool.take()
    pool.give(first)
    // Not toBe: to say what differs it would compare megabytes.
    expect(pool.take() === first).toBe(true)
    expect(pool.take() === first).toBe(false)
  })
})
