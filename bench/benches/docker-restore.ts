import { createHash } from 'node:crypto'
import { mkdir, readdir, rm } from 'node:fs/promises'
import http from 'node:http'
import { join } from 'node:path'
import type { BenchContext } from '../bench-context.ts'
import { type EnginePeer, openEnginePeer } from '../engine-peer.ts'
import { measureShell, quoted } from '../measure.ts'
import { measureOurs } from '../our-program.ts'
import { writeSampleTree } from '../sample-tree.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** A `tar.zst` of a repository through the engine into a new volume, against `zstd -dc | curl -T -` into a container that is there already. */
export async function dockerRestore({ folder, size = 2 ** 30, rounds, print, say }: BenchContext): Promise<void> {
  const peer = await openEnginePeer()
  try {
    const volume = `${peer.prefix}-source`
    say(`making a volume of ${size / 2 ** 20} MiB and a backup of it`)
    const tree = join(folder, 'tree')
    const data = { ...(await writeSampleTree(tree, size, 'volume 1')), engine: peer.version }
    await peer.createVolume(volume, tree)
    await rm(tree, { recursive: true })
    await mkdir(join(folder, 'repository'))
    await measureOurs('docker-backup', [peer.socket, volume, join(folder, 'repository')])
    const archive = await findArchive(join(folder, 'repository/backups'))
    const expected = await contentOf(peer, volume)
    const told = async (name: string, cost: Promise<Cost>) => {
      const result = await cost
      say(`${name}: ${result.wallSeconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s, ${result.rssMib?.toFixed(0)} MiB`)
      return result
    }
    const costs = await interleaved(rounds, {
      ours: (round) => told('ours', ours(peer, volume, join(folder, 'repository'), round, expected)),
      curl: () => told('curl', curl(peer, archive, expected)),
    })
    print(benchLine('docker-restore', 'zstd -dc | curl -T - --unix-socket .../archive', costs.ours, costs.curl, data))
  } finally {
    await peer[Symbol.asyncDispose]()
  }
}

async function findArchive(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true })
  const name = names.find((each) => each.endsWith('.tar.zst'))
  if (name === undefined) throw new Error(`There is no archive in ${folder}.`)
  return join(folder, name)
}

async function ours(peer: EnginePeer, volume: string, folder: string, round: number, expected: string): Promise<Cost> {
  settled()
  const name = `${peer.prefix}-restored-${round}`
  const cost = await measureOurs('docker-restore', [peer.socket, volume, folder, name], peer.seconds)
  if (round === 0) await check(peer, name, expected)
  await peer.removeVolume(name)
  return cost
}

async function curl(peer: EnginePeer, archive: string, expected: string): Promise<Cost> {
  const name = `${peer.prefix}-by-hand`
  await peer.createVolume(name)
  const helper = await peer.createHelper(name)
  settled()
  const address = quoted(`http://docker/v1.41/containers/${helper}/archive?path=/`)
  const headers = "-H 'Content-Type: application/x-tar'"
  const script = `zstd -q -dc ${quoted(archive)} | curl -sSf ${headers} --unix-socket ${quoted(peer.socket)} -T - ${address}`
  const cost = await measureShell(script, peer.seconds)
  await peer.removeHelper(helper)
  await check(peer, name, expected)
  await peer.removeVolume(name)
  return cost
}

/** A fast program that restores something else is not fast. */
async function check(peer: EnginePeer, volume: string, expected: string): Promise<void> {
  const content = await contentOf(peer, volume)
  if (content !== expected) throw new Error(`Volume ${volume} is not what was backed up.`)
}

/** SHA-256 of the archive the engine gives of a volume. */
async function contentOf(peer: EnginePeer, volume: string): Promise<string> {
  const helper = await peer.createHelper(volume)
  try {
    const hash = createHash('sha256')
    await new Promise<void>((resolve, reject) => {
      http
        .get({ socketPath: peer.socket, path: `/v1.41/containers/${helper}/archive?path=/data`, agent: false }, (response) => {
          if (response.statusCode !== 200) reject(new Error(`Reading ${volume}: ${response.statusCode}`))
          response
            .on('data', (chunk: Buffer) => hash.update(chunk))
            .on('error', reject)
            .on('end', resolve)
        })
        .on('error', reject)
    })
    return hash.digest('hex')
  } finally {
    await peer.removeHelper(helper)
  }
}
