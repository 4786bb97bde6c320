// ambient: the standard output of the process, for bytes; used by main.ts alone.
import { fstatSync, write as writeFile } from 'node:fs'
import { abortError, throwIfAborted } from '@holdfast/core/spec'
import type { ByteOutput } from './host.ts'

/** The standard output, and whether bytes were written to it: then whoever reads it must not take its end for a good one unless the exit code says so. */
export interface StandardOutput extends ByteOutput {
  readonly used: boolean
}

export function standardOutput(): StandardOutput {
  const { stdout } = process
  let used = false
  let isStream: boolean | undefined
  return {
    terminal: stdout.isTTY === true,
    get used() {
      return used
    },
    async write(bytes, { signal }) {
      throwIfAborted(signal)
      used = true
      isStream ??= isPipe(stdout.fd)
      if (!isStream) return await writeAll(stdout.fd, bytes)
      await new Promise<void>((resolve, reject) => {
        const aborted = () => reject(abortError(signal))
        signal.addEventListener('abort', aborted, { once: true })
        stdout.write(bytes, (error) => {
          signal.removeEventListener('abort', aborted)
          if (error) reject(error)
          else resolve()
        })
      })
    },
  }
}

function isPipe(file: number): boolean {
  const about = fstatSync(file)
  return about.isFIFO() || about.isSocket()
}

/** For files and devices: what Node makes of those does not notice that a full one took only a part of the last bytes. */
async function writeAll(file: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += await new Promise<number>((resolve, reject) => {
      writeFile(file, bytes, done, bytes.length - done, null, (error, written) => (error ? reject(error) : resolve(written)))
    })
  }
}
