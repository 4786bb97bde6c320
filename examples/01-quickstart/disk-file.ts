import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '@holdfast/core'
import { diskFiles } from '../02-disk-files/disk-files-provider.ts'
import { noise } from './sample-files.ts'
import type { Subject, SubjectOptions } from './subject.ts'

const mebibyte = 1 << 20
const diskBytes = 96 * mebibyte

/** A raw disk image of 96 MiB, half empty, in a folder of its own; protected by the provider of the next example. */
export function diskFile({ folder }: Pick<SubjectOptions, 'folder'>): Subject {
  const id = 'shop'
  const disks = join(folder, 'disks')
  const image = join(disks, `${id}.img`)
  const write = async (pieces: readonly (readonly [offset: number, bytes: Uint8Array])[]) => {
    const file = await open(image, 'r+')
    for (const [offset, bytes] of pieces) await file.write(bytes, 0, bytes.length, offset)
    await file.close()
  }
  return {
    title: `disk image ${id}.img`,
    providerName: 'disks',
    id,
    // All of it is read once to find what has changed; what follows is read again to be stored.
    killAfterBytes: diskBytes + 2 * mebibyte,
    done: (bytes) =>
      bytes <= diskBytes
        ? `looked through ${formatBytes(bytes)}`
        : `looked through 96 MiB and copied ${formatBytes(bytes - diskBytes)} of them`,
    copyName: 'img',
    newProvider: () => diskFiles({ folder: disks }),
    async create() {
      await mkdir(disks)
      const file = await open(image, 'wx')
      await file.truncate(diskBytes)
      await file.close()
      await write([
        [0, noise('boot', 2 * mebibyte)],
        [8 * mebibyte, noise('system', 40 * mebibyte)],
      ])
      return '96 MiB, of which 42 MiB hold data'
    },
    async change(day) {
      await write([[(40 + 16 * day) * mebibyte, noise(`day ${day}`, 12 * mebibyte)]])
      return '12 MiB written'
    },
    saveTo: (file) => copyFile(image, file),
    async damage() {
      const file = await open(image, 'r+')
      const byte = Buffer.alloc(1)
      const middle = 30 * mebibyte
      await file.read(byte, 0, 1, middle)
      await file.write(Buffer.of((byte[0] ?? 0) ^ 1), 0, 1, middle)
      await file.close()
      return `at byte ${middle + 1}`
    },
    lose: () => rm(image),
    async listing() {
      return [{ kind: 'disk image', names: await readdir(disks).catch(() => []) }]
    },
    cleanUp: () => rm(disks, { recursive: true, force: true }),
  }
}
