import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { measureShell, quoted } from '../measure.ts'
import { measureOurs } from '../our-program.ts'
import { sampleDiskContent, writeSampleDisk } from '../sample-disk.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved } from '../statistics.ts'

/** A raw disk through the engine into qcow2 with the sum of each cluster, against `qemu-img convert -W` and a hash of what it wrote. */
export async function diskFull({ folder, size = 2 ** 31, rounds, print, say }: BenchContext): Promise<void> {
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  say(`making a disk of ${size / 2 ** 20} MiB`)
  const disks = join(folder, 'disks')
  await mkdir(disks)
  const raw = join(disks, 'disk.img')
  await writeSampleDisk(raw, size, 'disk 1')
  const told = async (name: string, cost: Promise<Cost>) => {
    const result = await cost
    say(`${name}: ${result.wallSeconds.toFixed(2)} s, CPU ${result.cpuSeconds.toFixed(2)} s, ${result.rssMib?.toFixed(0)} MiB`)
    return result
  }
  const convert = (durable: boolean) => qemuCost(qemu.facts.path, raw, join(folder, 'peer'), durable)
  const costs = await interleaved(rounds, {
    ours: () => told('ours', ours(disks, join(folder, 'ours'))),
    durable: () => told('qemu-img, openssl, sync', convert(true)),
    plain: () => told('qemu-img, openssl', convert(false)),
  })
  const data = {
    bytes: size,
    content: sampleDiskContent,
    seed: 'disk 1',
    qemu: qemu.facts.version,
  }
  print(benchLine('disk-full', 'qemu-img convert -W -O qcow2; sync file; openssl dgst -sha256', costs.ours, costs.durable, data))
  print(benchLine('disk-full', 'qemu-img convert -W -O qcow2; openssl dgst -sha256 (not durable)', costs.ours, costs.plain, data))
}

async function ours(disks: string, folder: string): Promise<Cost> {
  settled(folder)
  const cost = await measureOurs('disk-backup', [disks, 'disk', folder])
  await rm(folder, { recursive: true })
  return cost
}

async function qemuCost(qemu: string, raw: string, folder: string, durable: boolean): Promise<Cost> {
  settled(folder)
  const file = quoted(join(folder, 'disk.qcow2'))
  const sync = durable ? `sync ${file} ${quoted(folder)}; ` : ''
  const cost = await measureShell(`${quoted(qemu)} convert -W -f raw -O qcow2 ${quoted(raw)} ${file}; ${sync}openssl dgst -sha256 ${file}`)
  await rm(folder, { recursive: true })
  return cost
}
