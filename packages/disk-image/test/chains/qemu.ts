import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { noise, randomFrom } from '../support.ts'

const run = promisify(execFile)

/** The programs of QEMU. Every call is a process, which costs more than most of what it does. */
export interface Qemu {
  img(...args: string[]): Promise<string>
  /** Runs commands on one image, in one process; a command that fails rejects. */
  io(format: 'raw' | 'qcow2', path: string, commands: readonly string[]): Promise<void>
  /** Fails for damage and for leaks. */
  check(path: string): Promise<void>
  /** Fails for a difference of content. A raw disk that is no whole number of sectors ends with zeros for QEMU. */
  compare(raw: string, path: string, format?: 'qcow2' | 'vmdk'): Promise<void>
  /** The same for a part of the disk, in whole sectors: of a VMDK, QEMU looks at each grain of terabytes. */
  comparePart(raw: string, path: string, format: 'qcow2' | 'vmdk', offset: number, length: number): Promise<void>
}

export function qemuAt(imgPath: string): Qemu {
  const ioPath = join(dirname(imgPath), 'qemu-io')
  const img = async (...args: string[]) => (await run(imgPath, args)).stdout
  return {
    img,
    async io(format, path, commands) {
      if (commands.length === 0) return
      const { stdout } = await run(ioPath, ['-d', 'unmap', '-f', format, ...commands.flatMap((command) => ['-c', command]), path])
      if (/failed|error|invalid/i.test(stdout)) throw new Error(`qemu-io ${path} ${commands.join('; ')}: ${stdout}`)
    },
    async check(path) {
      const text = await img('check', '-f', 'qcow2', path)
      if (!text.includes('No errors were found on the image.')) throw new Error(`${path}: ${text}`)
    },
    async compare(raw, path, format = 'qcow2') {
      const text = await img('compare', '-f', 'raw', '-F', format, raw, path)
      if (!text.includes('Images are identical.')) throw new Error(`${raw} and ${path}: ${text}`)
    },
    async comparePart(raw, path, format, offset, length) {
      const file = (filename: string) => ({ driver: 'file', filename })
      const part = (of: object) => `json:${JSON.stringify({ driver: 'raw', offset, size: length, file: of })}`
      const text = await img('compare', part(file(raw)), part({ driver: format, file: file(path) }))
      if (!text.includes('Images are identical.')) throw new Error(`${raw} and ${path} from ${offset} on: ${text}`)
    },
  }
}

/** Files of noise that qemu-io writes from, again and again from their start. */
export interface NoiseFile {
  readonly path: string
  readonly bytes: Buffer
}

export async function makeNoise(folder: string): Promise<readonly NoiseFile[]> {
  const files = [1, 2, 3, 4, 5, 6].map((seed) => ({ path: join(folder, `noise-${seed}`), bytes: noise(90_001, randomFrom(seed)) }))
  for (const { path, bytes } of files) await writeFile(path, bytes)
  return files
}
