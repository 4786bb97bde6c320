import { join } from 'node:path'
import { clusterBytes } from '@holdfast/disk-image'
import { randomFrom } from '../support.ts'
import { applyTo, below, type Content, type GuestWrite, pick, randomWrites, type WriteRules } from './guest-writes.ts'
import { convertedLayer, type Layer, ourLayer, type Step, theirLayer, type VmdkForm, vmdkLayer, type Writer } from './layers.ts'
import { createModelDisk, type ModelDisk } from './model-disk.ts'
import type { NoiseFile, Qemu } from './qemu.ts'

/** A chain, and what was done to its disk from the beginning. */
export interface Chain {
  /** Newest first. */
  readonly layers: readonly Layer[]
  readonly disk: ModelDisk
  /** Writes, and the sizes that the disk was given, in order. */
  readonly history: readonly (GuestWrite | number)[]
  /** What each layer is, oldest first. */
  readonly kinds: readonly string[]
}

export interface ChainOptions {
  readonly seed: number
  readonly folder: string
  readonly qemu: Qemu
  readonly noise: readonly NoiseFile[]
  readonly size: number
  readonly depth: number
  readonly content: Content
  /** What is fixed of layers, oldest first: the rest is drawn. */
  readonly plan?: readonly PlannedLayer[]
}

/** Who makes a layer, and the size of its disk. */
export interface PlannedLayer {
  readonly kind?: Kind
  readonly size?: number
}

type Random = () => number
export type Kind =
  | { readonly by: 'us'; readonly writer: Writer; readonly byContent: boolean }
  | { readonly by: 'them'; readonly flags: string; readonly form: 'plain' | 'compressed' }
  | { readonly by: 'vmdk'; readonly form: VmdkForm | 'of qemu' }
  | { readonly by: 'convert'; readonly flags: string }

const ours: readonly Kind[] = (['plain', 'plain', 'plain', 'plain', 'deflate', 'zstd'] as const).map((writer) => ({
  by: 'us',
  writer,
  byContent: false,
}))
const theirs: readonly Kind[] = [
  { by: 'them', flags: '', form: 'plain' },
  { by: 'them', flags: '', form: 'compressed' },
  { by: 'them', flags: 'compression_type=zstd', form: 'compressed' },
  { by: 'them', flags: 'compat=0.10', form: 'plain' },
]
const firsts: readonly Kind[] = [
  { by: 'vmdk', form: 'deflated' },
  { by: 'vmdk', form: 'stored' },
  { by: 'vmdk', form: 'of qemu' },
  { by: 'convert', flags: 'compression_type=zlib' },
  { by: 'convert', flags: 'compression_type=zstd' },
]
const largestDense = 16 * 2 ** 20

function chooseKind(random: Random, first: boolean, size: number, shrank: boolean): Kind {
  const dense = size <= largestDense
  // Only our layers know the cluster that a smaller disk cuts in two.
  const mine = pick(random, ours)
  const own: Kind = mine.by === 'us' && dense && !first && random() < 0.4 ? { ...mine, byContent: true } : mine
  if (shrank) return own
  if (first && dense && size > 0 && random() < 0.5) return pick(random, firsts)
  return random() < 0.5 ? own : pick(random, theirs)
}

/** QEMU and VMDK count sectors. */
const countsSectors = ({ by }: Kind): boolean => by !== 'us'

function newSize(random: Random, size: number): number {
  const chance = random()
  if (chance < 0.08) return Math.floor(size * random())
  if (chance < 0.3) return size + below(random, size > largestDense ? 2 ** 30 : 300_000)
  return size
}

const rulesOf = (kind: Kind, content: Content): WriteRules => ({
  content,
  wholeClusters: kind.by === 'them' && kind.form === 'compressed',
  // Version 2 has no zero clusters: what it discards shows the older data again.
  discards: kind.by === 'them' && kind.flags !== 'compat=0.10',
})

function make(kind: Kind, step: Step, qemu: Qemu): Promise<Layer> {
  if (kind.by === 'us') return ourLayer(step, kind.writer, kind.byContent, qemu)
  if (kind.by === 'them') return theirLayer(step, kind.flags, kind.form, qemu)
  return kind.by === 'vmdk' ? vmdkLayer(step, kind.form, qemu) : convertedLayer(step, kind.flags, qemu)
}

/** Makes a chain that the options decide. */
export async function randomChain(options: ChainOptions): Promise<Chain> {
  const { seed, folder, qemu, noise, size, depth, content, plan = [] } = options
  const random = randomFrom(seed)
  const disk = createModelDisk(size)
  const history: (GuestWrite | number)[] = [size]
  const kinds: string[] = []
  let layers: readonly Layer[] = []
  for (let number = 0; number < depth; number += 1) {
    const planned = plan[number] ?? {}
    const wanted = planned.size ?? (number === 0 ? size : newSize(random, disk.size))
    const kind = planned.kind ?? chooseKind(random, number === 0, wanted, wanted < disk.size)
    const own = countsSectors(kind) ? Math.ceil(wanted / 512) * 512 : wanted
    const touched = new Set<number>()
    if (own !== disk.size) {
      // What is left of a cluster that was cut is a change.
      if (own < disk.size && own % clusterBytes !== 0) touched.add(Math.floor(own / clusterBytes))
      disk.resize(own)
      history.push(own)
    }
    const writes = randomWrites(random, own, number === 0 ? 8 : 1 + below(random, 6), rulesOf(kind, content), noise)
    for (const write of writes) for (const index of applyTo(disk, write)) touched.add(index)
    history.push(...writes)
    const path = join(folder, `p${number}`, kind.by === 'vmdk' ? 'disk.vmdk' : 'disk.qcow2')
    layers = [await make(kind, { path, disk, writes, touched, below: layers }, qemu), ...layers]
    kinds.push(Object.values(kind).join(' '))
  }
  return { layers, disk, history, kinds }
}
