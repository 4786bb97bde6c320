import { execFileSync } from 'node:child_process'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { type Chain, makeChain } from '../chain-of-layers.ts'
import { qemuWords, type TimedCost, timedProgram, told } from '../chain-runs.ts'
import { measureShell } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

interface Kind {
  readonly bench: string
  readonly codec: 'deflate' | 'zstd'
  /** How the peer is told to do the same. */
  readonly flags: readonly string[]
}

/** Six layers into one packed image, against `qemu-img convert -c`: deflate. */
export const mergeZlib = (context: BenchContext): Promise<void> =>
  mergePacked(context, { bench: 'merge-zlib', codec: 'deflate', flags: [] })

/** The same with zstd. */
export const mergeZstd = (context: BenchContext): Promise<void> =>
  mergePacked(context, { bench: 'merge-zstd', codec: 'zstd', flags: ['-o', 'compression_type=zstd'] })

type Packed<Own extends Cost> = Own & { readonly bytes: number }

async function mergePacked(context: BenchContext, kind: Kind): Promise<void> {
  const { sizes, size = 2 ** 32 } = context
  if (sizes === undefined) return oneSize(context, kind, size, undefined)
  // Several sizes are about memory: the disks differ, what they hold does not.
  for (const virtualBytes of sizes) await oneSize(context, kind, virtualBytes, Math.min(...sizes) * 0.375)
}

async function oneSize(context: BenchContext, kind: Kind, virtualBytes: number, baseBytes: number | undefined): Promise<void> {
  const { folder, rounds, print, say } = context
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  const { path, version } = qemu.facts
  say(`making a chain of ${virtualBytes / 2 ** 20} MiB`)
  const layers = join(folder, 'chain')
  await mkdir(layers)
  const seed = 'chain 1'
  const chain = await makeChain({ folder: layers, virtualBytes, ...(baseBytes !== undefined && { baseBytes }), seed })
  const own = (how: 'verified' | 'plain', round: number) =>
    told(say, `ours, ${how}`, ours(how, kind, chain, join(folder, 'ours'), round === 0 ? path : undefined))
  const costs = await interleaved(rounds, {
    verified: (round) => own('verified', round),
    plain: (round) => own('plain', round),
    peer: () => told(say, 'qemu-img', convert(path, kind, chain, join(folder, 'peer'))),
  })
  await rm(layers, { recursive: true })
  const peer = ['qemu-img convert -c -m 8', ...kind.flags, '-O qcow2'].join(' ')
  for (const how of ['verified', 'plain'] as const) {
    const data = {
      ours: how === 'verified' ? 'each cluster compared with its sum, made durable' : 'without sums, made durable',
      virtual_bytes: virtualBytes,
      image_bytes: chain.imageBytes,
      layers: chain.layers.length,
      content: 'half random, half source text',
      seed,
      qemu: version,
      packed_bytes: costs[how][0]?.bytes ?? 0,
      peer_packed_bytes: costs.peer[0]?.bytes ?? 0,
    }
    print(benchLine(kind.bench, peer, costs[how], costs.peer, data))
  }
}

/** `check`: once, outside the measured time, `qemu-img` compares the disk that came out. */
async function ours(
  how: 'verified' | 'plain',
  { codec }: Kind,
  chain: Chain,
  folder: string,
  check: string | undefined,
): Promise<Packed<TimedCost>> {
  settled(folder)
  const image = join(folder, 'disk.qcow2')
  const cost = await timedProgram('merge-packed', [how, codec, image, ...chain.layers.map((layer) => layer.image)])
  const { size: bytes } = await stat(image)
  if (check !== undefined) {
    const run = (...words: string[]) => execFileSync(check, words, { stdio: ['ignore', 'ignore', 'inherit'] })
    run('check', '-q', '-f', 'qcow2', image)
    run('compare', '-q', '-f', 'qcow2', '-F', 'qcow2', image, chain.top.image)
  }
  await rm(folder, { recursive: true })
  return { ...cost, bytes }
}

async function convert(qemu: string, { flags }: Kind, chain: Chain, folder: string): Promise<Packed<Cost>> {
  settled(folder)
  const image = join(folder, 'disk.qcow2')
  const cost = await measureShell(
    qemuWords(qemu, 'convert', '-c', '-m', '8', ...flags, '-f', 'qcow2', '-O', 'qcow2', chain.top.image, image),
  )
  const { size: bytes } = await stat(image)
  await rm(folder, { recursive: true })
  return { ...cost, bytes }
}
