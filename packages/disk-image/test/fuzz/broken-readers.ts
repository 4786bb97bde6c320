import type { CorpusFormat } from './corpus.ts'
import { type Outcome, tryImage } from './try-image.ts'

type Reader = (format: CorpusFormat, file: Buffer) => Promise<Outcome>

let calls = 0
/** Right for three images, then wrong once: what finds nothing in these finds nothing. */
const after = (wrong: () => Promise<Outcome>): Reader => {
  return (format, file) => {
    calls += 1
    return calls === 4 ? wrong() : tryImage(format, file)
  }
}

const hoard: Buffer[] = []

export const brokenReaders = {
  spins: after(async () => {
    for (;;);
  }),
  waits: after(async () => {
    await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1))
    return 'read'
  }),
  dies: after(async () => process.kill(process.pid, 'SIGKILL') && new Promise<Outcome>(() => {})),
  throws: after(async () => {
    throw new TypeError('not what was promised')
  }),
  takesMemory: after(async () => {
    hoard.push(Buffer.alloc(200 * 1024 * 1024, 1))
    return 'read'
  }),
  isSlow: after(async () => {
    const { user, system } = process.cpuUsage()
    for (let spent = 0; spent < 1_100_000; ) {
      const now = process.cpuUsage()
      spent = now.user + now.system - user - system
    }
    return 'read'
  }),
} as const satisfies { readonly [name: string]: Reader }

export type BrokenReader = keyof typeof brokenReaders

export function isBrokenReader(name: string): name is BrokenReader {
  return Object.hasOwn(brokenReaders, name)
}
