import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const mebibyte = 1 << 20

/** Bytes that look random to a compressor and are the same for the same name. */
export function noise(name: string, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  const seed = createHash('sha256').update(name).digest()
  let state = seed.readUInt32LE(0) | 1
  for (let at = 0; at + 4 <= size; at += 4) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes.writeInt32LE(state, at)
  }
  return bytes
}

/** A small shop: a table of 24 MiB, a log that compresses well, and 300 pictures. */
export async function writeShop(folder: string): Promise<string> {
  await mkdir(join(folder, 'pictures'), { recursive: true })
  await writeFile(join(folder, 'orders.db'), noise('orders', 24 * mebibyte))
  await writeFile(join(folder, 'access.log'), '192.0.2.7 GET /index.html 200\n'.repeat(280_000))
  for (let number = 1; number <= 300; number++) await writeFile(join(folder, `pictures/${number}.jpg`), noise(`picture ${number}`, 32_768))
  return '302 files'
}

/** One more day in the shop. `day` makes the bytes new. */
export async function writeDay(folder: string, day: number): Promise<string> {
  await mkdir(join(folder, 'pictures'), { recursive: true })
  const orders = Buffer.concat([noise('orders', 24 * mebibyte - 3 * mebibyte), noise(`orders of day ${day}`, 3 * mebibyte)])
  await writeFile(join(folder, 'orders.db'), orders)
  await writeFile(join(folder, `pictures/new-${day}.jpg`), noise(`new picture ${day}`, 65_536))
  return 'orders.db rewritten, 1 picture added'
}
