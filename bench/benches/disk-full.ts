import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { ourProgram } from '../build.ts'
import { binaries, sourceText, taken } from '../local-files.ts'
import { measure, measureShell, quoted } from '../measure.ts'
import { seededBytes } from '../seeded-bytes.ts'
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
    content: '20 % random, 20 % source text, 20 % programs, 40 % holes, in turns of 1 MiB to 16 MiB',
    seed: 'disk 1',
    qemu: qemu.facts.version,
  }
  print(benchLine('disk-full', 'qemu-img convert -W -O qcow2; sync file; openssl dgst -sha256', costs.ours, costs.durable, data))
  print(benchLine('disk-full', 'qemu-img convert -W -O qcow2; openssl dgst -sha256 (not durable)', costs.ours, costs.plain, data))
}

async function writeSampleDisk(path: string, size: number, seed: string): Promise<void> {
  const random = seededBytes(`${seed} random`)
  const text = sourceText(seed)
  const programs = binaries(seed)
  const kinds = [
    (length: number) => [random(length)],
    (length: number) => taken(text, length),
    (length: number) => taken(programs, length),
    undefined,
    undefined,
  ]
  const file = await open(path, 'wx')
  try {
    await file.truncate(size)
    let at = 0
    for (let turn = 0; at < size; turn++) {
      const length = Math.min(2 ** (20 + (random(1).readUInt8() % 5)), size - at)
      const pieces = kinds[turn % kinds.length]?.(length) ?? []
      let within = at
      for (const piece of pieces) {
        await file.write(piece, 0, piece.length, within)
        within += piece.length
      }
      at += length
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

async function ours(disks: string, folder: string): Promise<Cost> {
  settled(folder)
  const cost = await measure(process.execPath, ourProgram('disk-backup', disks, 'disk', folder))
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
