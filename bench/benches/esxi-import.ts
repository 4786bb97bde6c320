import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { told } from '../chain-runs.ts'
import { type EsxiPeer, fileBelow, gibibyteInVmdk, ofRunningEngine, openEsxiPeer, runsOfOneEngine } from '../esxi-peer.ts'
import { measureShell, quoted } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** A kept full into a new machine of a simulated host, against `govc import.ovf` of the same package, whose sums were checked before. */
export async function esxiImport(context: BenchContext): Promise<void> {
  for (const size of context.sizes ?? [context.size ?? gibibyteInVmdk])
    await oneSize(context, size, 'esxi-import', async (peer) => {
      const full = join(context.folder, 'full')
      await mkdir(full)
      await peer.backup(full, 'full')
      return { point: full, packageFolder: full, ours: 'the VMDK as it is kept', how: 'exactly' }
    })
}

/** An increment and the full below it into a new machine, against `govc import.ovf` of a full of the same moment. */
export async function esxiImportChain(context: BenchContext): Promise<void> {
  for (const size of context.sizes ?? [context.size ?? 2 ** 30])
    await oneSize(context, size, 'esxi-import-chain', async (peer) => {
      const [chain, full] = [join(context.folder, 'chain'), join(context.folder, 'full')]
      await mkdir(chain)
      await peer.backup(chain, 'chain')
      await peer.changeDisk()
      await peer.backup(chain, 'chain')
      // Otherwise it is no chain.
      fileBelow(chain, '.qcow2')
      await mkdir(full)
      await peer.backup(full, 'full')
      return { point: chain, packageFolder: full, ours: 'a chain of two, each cluster compared with its sum', how: 'content' }
    })
}

interface Prepared {
  /** Whose newest point ours restores. */
  readonly point: string
  /** Where the package lies that the peer imports. */
  readonly packageFolder: string
  readonly ours: string
  /** How the disk that arrived is like the one that was backed up. */
  readonly how: 'exactly' | 'content'
}

async function oneSize(
  { folder, rounds, print, say }: BenchContext,
  size: number,
  bench: string,
  prepare: (peer: EsxiPeer) => Promise<Prepared>,
): Promise<void> {
  const peer = await openEsxiPeer(folder, size, say)
  try {
    const { point, packageFolder, ours, how } = await prepare(peer)
    const descriptor = fileBelow(packageFolder, '.ovf')
    const imported = async (names: readonly string[], round: number, same: Prepared['how'], work: () => Promise<Cost>): Promise<Cost> => {
      settled()
      const cost = await work()
      for (const name of names) {
        if (round === 0) await peer.compareDisk(name, same)
        peer.removeMachine(name)
      }
      return cost
    }
    const several = (who: string) => Array.from({ length: runsOfOneEngine }, (_, number) => `${who}-${number}`)
    const own = (names: readonly string[]) => (round: number) =>
      told(
        say,
        `ours, ${names.length} times`,
        imported(names, round, how, async () => {
          const cost = await peer.restore(point, ...names)
          return names.length === 1 ? cost : ofRunningEngine(cost)
        }),
      )
    const theirs = (names: readonly string[], check: 'checked' | 'unchecked') => (round: number) =>
      told(
        say,
        `govc, ${check}, ${names.length} times`,
        imported(names, round, 'exactly', () => govc(peer, descriptor, names, check)),
      )
    const costs = await interleaved(rounds, {
      ours: own(['ours']),
      checked: theirs(['theirs'], 'checked'),
      unchecked: theirs(['theirs'], 'unchecked'),
      service: own(several('ours')),
      checkedNightly: theirs(several('theirs'), 'checked'),
      uncheckedNightly: theirs(several('theirs'), 'unchecked'),
    })
    const data = { ours, ...(await peer.data()) }
    const runs = { ...data, ours: `${runsOfOneEngine} runs of an engine, without its start and stop, ${ours}` }
    print(benchLine(bench, 'openssl dgst -sha256, govc import.ovf -m', costs.ours, costs.checked, data))
    print(benchLine(bench, 'govc import.ovf -m', costs.ours, costs.unchecked, data))
    const times = `, ${runsOfOneEngine} times`
    print(benchLine(bench, `openssl dgst -sha256, govc import.ovf -m${times}`, costs.service, costs.checkedNightly, runs))
    print(benchLine(bench, `govc import.ovf -m${times}`, costs.service, costs.uncheckedNightly, runs))
    await rm(packageFolder, { recursive: true })
    await rm(point, { recursive: true, force: true })
  } finally {
    await peer[Symbol.asyncDispose]()
  }
}

/** Compares the files of a package with the sums of its manifest, as people do before they import it. */
function manifestCheck(descriptor: string): string {
  const folder = quoted(dirname(descriptor))
  const sums = "sed -n 's/^SHA256(\\(.*\\))= .*/\\1/p' *.mf | tr '\\n' '\\0' | xargs -0 openssl dgst -sha256 | sed 's/^SHA2-256/SHA256/'"
  return `(cd ${folder} && test -s *.mf && ${sums} | diff - *.mf)`
}

/** `-m`: it compares the sums that the host makes with those of the package. It makes none of what it sends. */
async function govc(peer: EsxiPeer, descriptor: string, names: readonly string[], check: 'checked' | 'unchecked'): Promise<Cost> {
  const commands = names.flatMap((name) => [
    ...(check === 'checked' ? [manifestCheck(descriptor)] : []),
    peer.govc('import.ovf', '-m', '-name', name, descriptor).map(quoted).join(' '),
  ])
  const { rssMib, ...cost } = await measureShell(commands.join(' && '))
  // Of calls one after the other, the memory of all at once, which is what was measured, says nothing.
  return commands.length > 1 || rssMib === undefined ? cost : { ...cost, rssMib }
}
