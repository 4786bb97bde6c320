import { parseArgs } from 'node:util'

export interface BenchArguments {
  readonly bench: string
  readonly rounds: number
  /** Bytes of data; undefined: what the bench takes by itself. */
  readonly size?: number
  /** Several sizes one after the other instead of one. */
  readonly sizes?: readonly number[]
  /** False: the packages are taken as they were built last. */
  readonly build: boolean
}

const units: { readonly [unit: string]: number } = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** `64MiB` -> 67108864. */
export function parseBytes(text: string): number {
  const [, number, unit] = /^(\d+)(KiB|MiB|GiB|TiB)$/.exec(text) ?? []
  const bytes = Number(number) * (units[unit ?? ''] ?? Number.NaN)
  if (!(bytes > 0)) throw new Error(`"${text}" is not a size: write it like 64MiB or 4GiB.`)
  return bytes
}

export function parseBenchArguments(words: readonly string[], benches: readonly string[]): BenchArguments {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      size: { type: 'string' },
      sizes: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
    },
  })
  const [bench] = positionals
  if (bench === undefined || positionals.length > 1 || !benches.includes(bench))
    throw new Error(`Name one bench: ${benches.join(', ')}. For example: npm run -s bench -- ${benches[0]} --rounds 3`)
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: at least 1.`)
  return {
    bench,
    rounds,
    build: !values['no-build'],
    ...(values.size !== undefined && { size: parseBytes(values.size) }),
    ...(values.sizes !== undefined && { sizes: values.sizes.split(',').map(parseBytes) }),
  }
}
