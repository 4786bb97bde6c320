import { join } from 'node:path'
import { clusterBytes } from '@holdfast/disk-image'
import { randomFrom } from '../support.ts'
import { checkChain } from './check-chain.ts'
import { below, pick } from './guest-writes.ts'
import type { NoiseFile, Qemu } from './qemu.ts'
import { type ChainOptions, randomChain } from './random-chain.ts'

type Random = () => number
const tebibyte = 2 ** 40

/** Small and odd sizes often, huge ones now and then. */
function sizeFor(random: Random): number {
  const chance = random()
  if (chance < 0.12) return pick(random, [0, 1, 511, 512, 1000, clusterBytes - 1, clusterBytes, clusterBytes + 1])
  if (chance < 0.2) return pick(random, [2 * tebibyte + 4096, 3 * tebibyte + 512, 3 * tebibyte + 77, 2 ** 29, 2 ** 29 + clusterBytes + 1])
  if (chance < 0.5) return (1 + below(random, 60)) * clusterBytes
  return 1 + below(random, 4_000_000)
}

export interface Tried {
  /** The seed, and what its chain was. */
  readonly summary: string
  readonly size: number
  readonly depth: number
  readonly kinds: readonly string[]
  readonly error?: unknown
}

/** Makes the chain of a seed below the folder and checks it. What is given is not drawn. */
export async function tryChain(
  options: { readonly seed: number; readonly folder: string; readonly qemu: Qemu; readonly noise: readonly NoiseFile[] } & Partial<
    Pick<ChainOptions, 'size' | 'depth' | 'content' | 'plan'>
  >,
): Promise<Tried> {
  const { seed, qemu } = options
  // Beside the seed of the chain, so that neighbours are no relatives.
  const random = randomFrom(seed * 7919 + 13)
  const drawn = {
    size: sizeFor(random),
    depth: 1 + below(random, random() < 0.25 ? 30 : 8),
    content: pick(random, ['random', 'text', 'zero', 'mixed', 'mixed'] as const),
  }
  const folder = join(options.folder, `chain-${seed}`)
  const chosen: ChainOptions = { ...drawn, ...options, folder }
  const { size, depth, content } = chosen
  let kinds: readonly string[] = []
  const about = () => `seed ${seed}: ${size} bytes, ${content}, ${depth} layers (${kinds.join(', ')})`
  try {
    const chain = await randomChain(chosen)
    kinds = chain.kinds
    await checkChain(chain, { folder, qemu, random })
    return { summary: about(), size, depth, kinds }
  } catch (error) {
    return { summary: about(), size, depth, kinds, error }
  }
}
