import { clusterBytes } from '@holdfast/disk-image'
import type { ModelDisk } from './model-disk.ts'
import type { NoiseFile } from './qemu.ts'

type Random = () => number
export const below = (random: Random, limit: number): number => Math.floor(random() * limit)
export const pick = <T>(random: Random, values: readonly T[]): T => values[below(random, values.length)] as T

/** One write of a guest. `zero` may give its place back; `discard` does and is of whole clusters. */
export type GuestWrite = { readonly offset: number; readonly length: number } & (
  | { readonly kind: 'pattern'; readonly byte: number }
  | { readonly kind: 'noise'; readonly file: NoiseFile }
  | { readonly kind: 'zero'; readonly unmap: boolean }
  | { readonly kind: 'discard' }
)

export type Content = 'random' | 'text' | 'zero' | 'mixed'

/** Where writes may go. Whole clusters of which none is written twice: what a layer of compressed clusters takes. */
export interface WriteRules {
  readonly content: Content
  readonly wholeClusters: boolean
  readonly discards: boolean
}

/** A few places of a large disk, so that the layers of a chain meet; any place of a small one. */
function placeIn(size: number, random: Random): number {
  if (size <= 16 * 2 ** 20) return below(random, size)
  const spots = [0, 2 ** 29 - 100_000, 2 ** 41 - 2 * clusterBytes, 2 ** 41 + 2 ** 30, size - 300_000].filter(
    (spot) => spot >= 0 && spot < size,
  )
  return Math.min(size - 1, pick(random, spots) + below(random, 300_000))
}

function whatToWrite(random: Random, { content, discards }: WriteRules, noise: readonly NoiseFile[]) {
  const kind = content === 'mixed' ? pick(random, ['random', 'text', 'zero'] as const) : content
  const zeros = kind === 'zero' ? 0.8 : 0.1
  if (discards && random() < zeros / 3) return { kind: 'discard' as const }
  if (random() < zeros) return { kind: 'zero' as const, unmap: random() < 0.5 }
  if (kind === 'random') return { kind: 'noise' as const, file: pick(random, noise) }
  return { kind: 'pattern' as const, byte: 1 + below(random, 255) }
}

export function randomWrites(random: Random, size: number, count: number, rules: WriteRules, noise: readonly NoiseFile[]): GuestWrite[] {
  const writes: GuestWrite[] = []
  const taken = new Set<number>()
  for (let tries = 0; size > 0 && writes.length < count && tries < 5 * count; tries += 1) {
    const what = whatToWrite(random, rules, noise)
    const place = placeIn(size, random)
    const whole = rules.wholeClusters || what.kind === 'discard' || random() < 0.4
    const offset = whole ? Math.floor(place / clusterBytes) * clusterBytes : place
    if (rules.wholeClusters && taken.has(offset)) continue
    taken.add(offset)
    const clusters = rules.wholeClusters ? 1 : 1 + below(random, 3)
    const length = Math.min(size - offset, whole ? clusters * clusterBytes : 1 + below(random, pick(random, [600, 5000, 200_000])))
    if (what.kind === 'discard' && length % clusterBytes !== 0) continue
    writes.push({ offset, length, ...what })
  }
  return writes
}

const contentOf = (write: GuestWrite): Buffer => {
  if (write.kind === 'pattern') return Buffer.alloc(write.length, write.byte)
  return write.kind === 'noise' ? Buffer.alloc(write.length, write.file.bytes) : Buffer.alloc(write.length)
}

/** Does it to the model; answers the clusters that it touched. */
export function applyTo(disk: ModelDisk, write: GuestWrite): readonly number[] {
  disk.write(write.offset, contentOf(write))
  const first = Math.floor(write.offset / clusterBytes)
  return Array.from({ length: Math.ceil((write.offset + write.length) / clusterBytes) - first }, (_, index) => first + index)
}

/** The same as a command of qemu-io. `raw`: a discard there promises nothing, so zeros are written. `compressed`: data goes into packed clusters. */
export function commandOf(write: GuestWrite, form: 'raw' | 'plain' | 'compressed'): string {
  const where = `${write.offset} ${write.length}`
  const flags = form === 'compressed' ? '-c ' : ''
  if (write.kind === 'pattern') return `write -q ${flags}-P ${write.byte} ${where}`
  if (write.kind === 'noise') return `write -q ${flags}-s ${write.file.path} ${where}`
  if (write.kind === 'discard' && form !== 'raw') return `discard -q ${where}`
  return `write -q -z ${write.kind === 'zero' && write.unmap && form !== 'raw' ? '-u ' : ''}${where}`
}
