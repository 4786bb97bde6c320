import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { type EnginePeer, openEnginePeer } from '../engine-peer.ts'
import { measure, measureShell, quoted } from '../measure.ts'
import { measureOurs } from '../our-program.ts'
import { writeSampleTree } from '../sample-tree.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** A volume through the engine into `tar.zst`, against `tar czf` in a container and against `curl | zstd`. */
export async function dockerVolume(context: BenchContext): Promise<void> {
  const peer = await openEnginePeer()
  try {
    for (const size of context.sizes ?? [context.size ?? 2 ** 30]) await oneSize(context, peer, size)
  } finally {
    await peer[Symbol.asyncDispose]()
  }
}

async function oneSize(context: BenchContext, peer: EnginePeer, size: number): Promise<void> {
  const { folder, rounds, print, say } = context
  const [volume, archives] = [`${peer.prefix}-${size}`, `${peer.prefix}-${size}-archives`]
  say(`making a volume of ${size / 2 ** 20} MiB`)
  const tree = join(folder, `tree-${size}`)
  const data = { ...(await writeSampleTree(tree, size, 'volume 1')), engine: peer.version }
  await peer.createVolume(volume, tree)
  await peer.createVolume(archives)
  await rm(tree, { recursive: true })
  const helper = await peer.createHelper(volume)
  const told = async (name: string, cost: Promise<Cost>) => {
    const result = await cost
    say(`${name}: ${result.wallSeconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s, ${result.rssMib?.toFixed(0) ?? '?'} MiB`)
    return result
  }
  const costs = await interleaved(rounds, {
    ours: () => told('ours', ours(peer, volume, join(folder, 'ours'))),
    curl: () => told('curl', curl(peer, helper, join(folder, 'peer'))),
    // Several sizes are about memory: the slow peer tells nothing of that.
    ...(context.sizes === undefined && { tar: () => told('tar', tar(peer, volume, archives)) }),
  })
  await peer.removeHelper(helper)
  await peer.removeVolume(volume)
  await peer.removeVolume(archives)
  if (costs.tar) print(benchLine('docker-volume', 'docker run --rm -v vol:/v:ro -v out:/o busybox tar czf', costs.ours, costs.tar, data))
  print(benchLine('docker-volume', 'curl --unix-socket .../archive | zstd -3 -T1 > file; sync file', costs.ours, costs.curl, data))
}

async function ours(peer: EnginePeer, volume: string, folder: string): Promise<Cost> {
  settled(folder)
  const cost = await measureOurs('docker-backup', [peer.socket, volume, folder], peer.seconds)
  await rm(folder, { recursive: true })
  return cost
}

/** What happens inside the container is nobody's child here: `time` tells it. */
async function tar(peer: EnginePeer, volume: string, archives: string): Promise<Cost> {
  settled()
  const words = ['-H', `unix://${peer.socket}`, 'run', '--rm', '--network', 'none', '-v', `${volume}:/v:ro`, '-v', `${archives}:/o`]
  const program = ['time', '-f', 'seconds %U %S', 'tar', 'czf', '/o/volume.tar.gz', '-C', '/v', '.']
  const { stderr, wallSeconds, cpuSeconds } = await measure(peer.cli, [...words, peer.image, ...program], { other: peer.seconds })
  const [, user, system] = /^seconds ([\d.]+) ([\d.]+)/m.exec(stderr) ?? []
  if (user === undefined) throw new Error(`time told nothing: ${stderr}`)
  return { wallSeconds, cpuSeconds: cpuSeconds + Number(user) + Number(system) }
}

async function curl(peer: EnginePeer, helper: string, folder: string): Promise<Cost> {
  settled(folder)
  const file = quoted(join(folder, 'volume.tar.zst'))
  const address = quoted(`http://docker/v1.41/containers/${helper}/archive?path=/data`)
  const script = `curl -sSf --unix-socket ${quoted(peer.socket)} ${address} | zstd -q -3 -T1 > ${file}; sync ${file} ${quoted(folder)}`
  const cost = await measureShell(script, peer.seconds)
  await rm(folder, { recursive: true })
  return cost
}
