import { execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { findPeers } from '../../scripts/peers/find-peers.ts'
import type { BenchContext } from '../bench-context.ts'
import { makeChain } from '../chain-of-layers.ts'
import { timedProgram, told } from '../chain-runs.ts'
import { measure } from '../measure.ts'
import { settled } from '../settled.ts'
import { benchLine, type Cost, interleaved, median } from '../statistics.ts'

/** All data of a streamOptimized VMDK that QEMU made, read to nowhere, against `qemu-img convert` to nowhere. */
export async function vmdkRead({ folder, size = 2 ** 32, rounds, print, say }: BenchContext): Promise<void> {
  const { 'qemu-img': qemu } = await findPeers()
  if ('missing' in qemu) throw new Error(`qemu-img: ${qemu.missing}. Install it with: npm run peers`)
  say(`making a disk of ${size / 2 ** 20} MiB`)
  const seed = 'chain 1'
  const { top } = await makeChain({ folder, virtualBytes: size, layers: 1, seed })
  const image = join(folder, 'disk.vmdk')
  execFileSync(qemu.facts.path, ['convert', '-O', 'vmdk', '-o', 'subformat=streamOptimized', top.image, image])
  settled()
  const costs = await interleaved(rounds, {
    ours: () => told(say, 'ours', timedProgram('vmdk-read', [image])),
    peer: () => told(say, 'qemu-img', toNowhere(qemu.facts.path, image, size)),
    disk: () => told(say, 'dd', measure('dd', [`if=${image}`, 'of=/dev/null', 'bs=4M', 'iflag=direct', 'status=none'])),
  })
  const bytes = (await stat(image)).size
  const mib = (of: readonly Cost[]) => median(of.map(({ wallSeconds }) => bytes / 2 ** 20 / wallSeconds))
  const data = {
    virtual_bytes: size,
    image_bytes: bytes,
    content: 'half random, half source text',
    seed,
    qemu: qemu.facts.version,
    disk_mib_per_second: Math.round(mib(costs.disk)),
    share_of_disk: Number((mib(costs.ours) / mib(costs.disk)).toFixed(3)),
    reading_seconds: median(costs.ours.map(({ times }) => times.reading ?? 0)),
  }
  print(benchLine('vmdk-read', 'qemu-img convert -W -m 8 to null-co', costs.ours, costs.peer, data))
}

/** `-W -m 8` is its quickest way. */
function toNowhere(qemu: string, image: string, size: number): Promise<Cost> {
  const target = ['--target-image-opts', image, `driver=null-co,size=${size}`]
  return measure(qemu, ['convert', '-n', '-W', '-m', '8', '-f', 'vmdk', ...target])
}
