import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { type Chain, makeChain } from '../chain-of-layers.ts'
import { mergeChain, qemuWords, rawWrite, told, whereTimeWent } from '../chain-runs.ts'
import { measureShell, quoted } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

type Mode = 'verified' | 'plain'

/** Six layers into one image, each cluster compared with its sum, against `qemu-img convert` and a hash of what it wrote. */
export const merge = (context: BenchContext): Promise<void> => everySize(context, 'verified')

/** The same without sums, against `qemu-img convert` alone. */
export const mergePlain = (context: BenchContext): Promise<void> => everySize(context, 'plain')

async function everySize(context: BenchContext, mode: Mode): Promise<void> {
  const { sizes, size = 2 ** 32 } = context
  if (sizes === undefined) return oneSize(context, mode, size, undefined)
  // Several sizes are about memory: the disks differ, what they hold does not.
  for (const virtualBytes of sizes) await oneSize(context, mode, virtualBytes, Math.min(...sizes) * 0.375)
}

async function oneSize(context: BenchContext, mode: Mode, virtualBytes: number, baseBytes: number | undefined): Promise<void> {
  const { folder, rounds, print, say } = context
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  say(`making a chain of ${virtualBytes / 2 ** 20} MiB`)
  const layers = join(folder, 'chain')
  await mkdir(layers)
  const seed = 'chain 1'
  const chain = await makeChain({ folder: layers, virtualBytes, ...(baseBytes !== undefined && { baseBytes }), seed })
  const { path } = qemu.facts
  const costs = await interleaved(rounds, {
    ours: (round) => told(say, 'ours', mergeChain(mode, chain, join(folder, 'ours'), round === 0 ? path : undefined)),
    peer: () => told(say, 'qemu-img', convert(path, chain, join(folder, 'peer'), mode)),
    disk: () => told(say, 'dd', rawWrite(chain, join(folder, 'disk'))),
  })
  await rm(layers, { recursive: true })
  const data = {
    virtual_bytes: virtualBytes,
    image_bytes: chain.imageBytes,
    layers: chain.layers.length,
    content: 'half random, half source text',
    seed,
    qemu: qemu.facts.version,
    ...whereTimeWent(costs.ours, chain.imageBytes, costs.disk, chain.layers[0]?.imageBytes ?? 0),
  }
  const hash = mode === 'verified' ? '; openssl dgst -sha256' : ''
  print(benchLine(mode === 'verified' ? 'merge' : 'merge-plain', `qemu-img convert -W -m 8 -O qcow2${hash}`, costs.ours, costs.peer, data))
}

async function convert(qemu: string, chain: Chain, folder: string, mode: Mode): Promise<Cost> {
  settled(folder)
  const file = join(folder, 'disk.qcow2')
  const hash = mode === 'verified' ? `; openssl dgst -sha256 ${quoted(file)}` : ''
  const cost = await measureShell(qemuWords(qemu, 'convert', '-W', '-m', '8', '-f', 'qcow2', '-O', 'qcow2', chain.top.image, file) + hash)
  await rm(folder, { recursive: true })
  return cost
}
