import { execFileSync } from 'node:child_process'
import { copyFile, mkdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { type Chain, makeChain } from '../chain-of-layers.ts'
import { mergeChain, qemuWords, rawWrite, told, whereTimeWent } from '../chain-runs.ts'
import { measureShell } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** Five increments into one, verified, in one pass, against as many `qemu-img commit`, which flush. */
export async function rollup({ folder, size = 2 ** 32, rounds, print, say }: BenchContext): Promise<void> {
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  say(`making a chain of ${size / 2 ** 20} MiB`)
  const layers = join(folder, 'chain')
  await mkdir(layers)
  const seed = 'chain 1'
  const chain = await makeChain({ folder: layers, virtualBytes: size, seed })
  const { path } = qemu.facts
  const costs = await interleaved(rounds, {
    ours: (round) => told(say, 'ours', mergeChain('rollup', chain, join(folder, 'ours'), round === 0 ? path : undefined)),
    peer: () => told(say, 'qemu-img', commits(path, chain, join(folder, 'peer'))),
    disk: () => told(say, 'dd', rawWrite(chain, join(folder, 'disk'))),
  })
  const [base, ...increments] = chain.layers
  const bytes = increments.reduce((sum, { imageBytes }) => sum + imageBytes, 0)
  const data = {
    virtual_bytes: size,
    increment_bytes: bytes,
    increments: increments.length,
    content: 'half random, half source text',
    seed,
    qemu: qemu.facts.version,
    ...whereTimeWent(costs.ours, bytes, costs.disk, base?.imageBytes ?? 0),
  }
  print(benchLine('rollup', `${increments.length} x qemu-img commit, oldest first`, costs.ours, costs.peer, data))
}

/** On copies. Each increment lies on the base right away, so that what is measured is the commits and nothing else. */
async function commits(qemu: string, chain: Chain, folder: string): Promise<Cost> {
  settled(folder)
  for (const { image } of chain.layers) await copyFile(image, join(folder, basename(image)))
  const [base = '', ...increments] = chain.layers.map(({ image }) => join(folder, basename(image)))
  for (const image of increments) execFileSync(qemu, ['rebase', '-u', '-f', 'qcow2', '-b', base, '-F', 'qcow2', image])
  settled()
  const cost = await measureShell(increments.map((image) => qemuWords(qemu, 'commit', '-q', '-d', '-f', 'qcow2', image)).join('; '))
  execFileSync(qemu, ['compare', '-q', '-f', 'qcow2', '-F', 'qcow2', base, chain.top.image])
  await rm(folder, { recursive: true })
  return cost
}
