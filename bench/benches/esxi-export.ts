import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { told } from '../chain-runs.ts'
import { type EsxiPeer, fileBelow, gibibyteInVmdk, ofRunningEngine, openEsxiPeer, runsOfOneEngine, sourceName } from '../esxi-peer.ts'
import { measureShell, quoted } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** A machine of a simulated host through the engine into an OVF package, with SHA-256 of everything, against `govc export.ovf -sha 256`. */
export async function esxiExport(context: BenchContext): Promise<void> {
  for (const size of context.sizes ?? [context.size ?? gibibyteInVmdk]) await oneSize(context, size)
}

async function oneSize({ folder, rounds, print, say }: BenchContext, size: number): Promise<void> {
  const peer = await openEsxiPeer(folder, size, say)
  try {
    const own = (kind: 'full' | 'chain', round: number) => ours(peer, kind, join(folder, 'ours'), round === 0)
    const theirs = (durable: boolean, round: number) => govc(peer, join(folder, 'peer'), durable, round === 0)
    const service = () => ourNights(peer, join(folder, 'ours'))
    const nightly = () => govcNights(peer, join(folder, 'peer'))
    // The host makes its own sums of a disk once, when it is first read.
    await theirs(false, 0)
    const costs = await interleaved(rounds, {
      full: (round) => told(say, 'ours', own('full', round)),
      chain: (round) => told(say, 'ours, with sums of clusters', own('chain', round)),
      plain: (round) => told(say, 'govc', theirs(false, round)),
      durable: (round) => told(say, 'govc, sync', theirs(true, round)),
      service: () => told(say, `ours, ${runsOfOneEngine} runs of an engine, without its start and stop`, service()),
      nightly: () => told(say, `govc, ${runsOfOneEngine} times`, nightly()),
    })
    const data = await peer.data()
    const [full, chain] = [
      { ours: 'no increments planned, made durable', ...data },
      { ours: 'with the sum of each cluster, made durable', ...data },
    ]
    print(benchLine('esxi-export', 'govc export.ovf -sha 256', costs.full, costs.plain, full))
    print(benchLine('esxi-export', 'govc export.ovf -sha 256', costs.chain, costs.plain, chain))
    print(benchLine('esxi-export', 'govc export.ovf -sha 256; sync files folder', costs.full, costs.durable, full))
    const runs = { ours: `${runsOfOneEngine} runs of an engine, without its start and stop, no increments planned, made durable`, ...data }
    print(benchLine('esxi-export', `govc export.ovf -sha 256, ${runsOfOneEngine} times`, costs.service, costs.nightly, runs))
  } finally {
    await peer[Symbol.asyncDispose]()
  }
}

async function ourNights(peer: EsxiPeer, folder: string): Promise<Cost> {
  settled(folder)
  const cost = ofRunningEngine(await peer.backup(folder, 'full', runsOfOneEngine))
  await rm(folder, { recursive: true })
  return cost
}

async function govcNights(peer: EsxiPeer, folder: string): Promise<Cost> {
  settled(folder)
  const commands = Array.from({ length: runsOfOneEngine }, (_, night) =>
    peer
      .govc('export.ovf', '-vm', sourceName, '-sha', '256', join(folder, `${night}`))
      .map(quoted)
      .join(' '),
  )
  const { wallSeconds, cpuSeconds } = await measureShell(commands.join(' && '))
  await rm(folder, { recursive: true })
  // One after the other: the memory of all at once, which is what was measured, says nothing.
  return { wallSeconds, cpuSeconds }
}

async function ours(peer: EsxiPeer, kind: 'full' | 'chain', folder: string, check: boolean): Promise<Cost> {
  settled(folder)
  const cost = await peer.backup(folder, kind)
  return checked(peer, folder, check, cost)
}

async function govc(peer: EsxiPeer, folder: string, durable: boolean, check: boolean): Promise<Cost> {
  settled(folder)
  const command = peer.govc('export.ovf', '-vm', sourceName, '-sha', '256', folder).map(quoted).join(' ')
  const target = quoted(join(folder, sourceName))
  return checked(peer, folder, check, await measureShell(durable ? `${command}; sync ${target}/* ${target}` : command))
}

/** A fast program that keeps something else is not fast. */
async function checked(peer: EsxiPeer, folder: string, check: boolean, cost: Cost): Promise<Cost> {
  if (check) execFileSync('cmp', [peer.image, fileBelow(folder, '.vmdk')])
  await rm(folder, { recursive: true })
  return cost
}
