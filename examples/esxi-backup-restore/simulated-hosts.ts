import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type EsxiSimulator, readBlocks, seededRandom, startEsxiSimulator } from '@holdfast/testkit'
import type { Hosts } from './hosts.ts'

const mebibyte = 1 << 20
const random = seededRandom(6)

/** A quarter of it is data, the rest was never written. */
function disk(mebibytes: number): { readonly content: Uint8Array } {
  const content = new Uint8Array(mebibytes * mebibyte)
  for (let at = 0; at < content.length; at += 4 * mebibyte) content.set(random.bytes(mebibyte), at)
  return { content }
}

const loginOf = ({ host, port, thumbprint }: EsxiSimulator) =>
  ({ host, port, thumbprint: thumbprint(), user: 'root', password: 'simulated' }) as const

/** One host with a machine that runs (EFI, NVRAM, three disks), and an empty one whose network has another name. */
export async function simulatedHosts(): Promise<Hosts> {
  const disks = [disk(48), disk(24), disk(8)]
  const one = await startEsxiSimulator({
    machines: [
      { name: 'web', uuid: '4203a1d0-0000-4000-8000-00000000000a', firmware: 'efi', powerState: 'poweredOn', disks },
      { name: 'mail', uuid: '4203a1d0-0000-4000-8000-00000000000b' },
    ],
  })
  const other = await startEsxiSimulator({ networks: [{ name: 'lan' }] })
  return {
    from: loginOf(one),
    to: loginOf(other),
    machine: 'web',
    async writeDisks(machine, folder) {
      const { disks: found = [] } = (one.machine(machine) ?? other.machine(machine))?.hardware ?? {}
      const files = found.map((_, index) => join(folder, `${machine}-${index}.raw`))
      for (const [index, { content }] of found.entries()) {
        const blocks = content.open()
        await writeFile(files[index] ?? '', await readBlocks(blocks, { signal: AbortSignal.timeout(60_000) }))
        await blocks[Symbol.asyncDispose]()
      }
      return files
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
    },
  }
}
