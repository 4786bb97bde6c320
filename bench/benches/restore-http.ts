import { spawn } from 'node:child_process'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { type Chain, makeChain } from '../chain-of-layers.ts'
import { measureShell, quoted } from '../measure.ts'
import { measureOurs } from '../our-program.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** The disk of a chain of six layers by HTTP PUT, every cluster checked, without a file in between, against `qemu-img convert` to one and `curl -T`. */
export async function restoreHttp({ folder, size = 2 ** 32, rounds, print, say }: BenchContext): Promise<void> {
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  say(`making a chain of a disk of ${size / 2 ** 20} MiB`)
  const layers = join(folder, 'layers')
  await mkdir(layers)
  const chain = await makeChain({ folder: layers, virtualBytes: size, seed: 'restore 1' })
  const receiver = await startReceiver()
  const temporary = join(folder, 'temporary')
  const ways = {
    ours: (path: string) => ours(`${receiver.address}${path}`, chain, temporary),
    peer: (path: string) => convertAndUpload(qemu.facts.path, `${receiver.address}${path}`, chain, temporary),
  }
  const measured = async (name: keyof typeof ways, path = '/disk') => {
    const { cost, temporaryBytes } = await ways[name](path)
    const seen = await receiver.next()
    if (seen.bytes !== chain.virtualBytes || seen.announced !== chain.virtualBytes)
      throw new Error(`${name}: ${seen.bytes} bytes came, ${seen.announced} were announced, the disk has ${chain.virtualBytes}`)
    say(
      `${name}: ${cost.wallSeconds.toFixed(2)} s, CPU ${cost.cpuSeconds.toFixed(2)} s, ${cost.rssMib?.toFixed(0)} MiB, temporary bytes ${temporaryBytes}`,
    )
    return { cost, temporaryBytes, sha256: seen.sha256 }
  }
  try {
    const [one, other] = [await measured('ours', '/hash'), await measured('peer', '/hash')]
    if (one.sha256 !== other.sha256) throw new Error(`ours sent ${one.sha256}, qemu-img and curl ${other.sha256}`)
    const costs = await interleaved(rounds, {
      ours: async () => (await measured('ours')).cost,
      peer: async () => (await measured('peer')).cost,
    })
    const data = {
      bytes: chain.virtualBytes,
      layers: chain.layers.length,
      image_bytes: chain.imageBytes,
      temporary_bytes: one.temporaryBytes,
      temporary_bytes_of_peer: other.temporaryBytes,
      seed: 'restore 1',
      qemu: qemu.facts.version,
    }
    print(benchLine('restore-http', 'qemu-img convert -O raw to a file; curl -T', costs.ours, costs.peer, data))
  } finally {
    receiver.stop()
  }
}

const receiver = fileURLToPath(new URL('../programs/receive-http.py', import.meta.url))

interface Seen {
  readonly bytes: number
  readonly announced: number
  readonly sha256?: string
}

/** A process of its own, which works for both alike. */
async function startReceiver(): Promise<{ readonly address: string; next(): Promise<Seen>; stop(): void }> {
  const child = spawn('python3', [receiver], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.once('error', () => {}) // then it writes no port, which is told below
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const next = await lines.next()
    if (next.done) throw new Error('The receiving server has ended. It needs python3.')
    return next.value
  }
  return { address: `http://127.0.0.1:${await line()}`, next: async () => JSON.parse(await line()), stop: () => child.stdin.end() }
}

interface Way {
  readonly cost: Cost
  /** What went to a disk meanwhile. */
  readonly temporaryBytes: number
}

async function ours(address: string, { layers }: Chain, temporary: string): Promise<Way> {
  settled(temporary)
  const cost = await measureOurs('restore-http', [address, ...layers.map(({ image }) => image)])
  const { writtenBytes } = JSON.parse(cost.stderr)
  return { cost, temporaryBytes: writtenBytes }
}

async function convertAndUpload(qemu: string, address: string, { top }: Chain, temporary: string): Promise<Way> {
  settled(temporary)
  const file = join(temporary, 'disk.raw')
  const cost = await measureShell(
    `${quoted(qemu)} convert -O raw ${quoted(top.image)} ${quoted(file)}; curl -sS -f -T ${quoted(file)} ${quoted(address)}`,
  )
  const { blocks } = await stat(file)
  await rm(file)
  return { cost, temporaryBytes: blocks * 512 }
}
