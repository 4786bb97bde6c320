import { describe, expect, it } from 'vitest'
import { type ChainPoint, planChain } from './plan-chain.ts'

const point = (
  id: string,
  parents: readonly string[],
  change: Partial<ChainPoint> & { disks?: number; kind?: string } = {},
): ChainPoint => {
  const { disks = 1, kind = 'files', ...rest } = change
  const summary = { providerKind: kind, disks: Array.from({ length: disks }, (_, key) => ({ key: String(key), size: 1, form: 'full' })) }
  const row = {
    repository: 'main',
    folder: `w/${id}`,
    number: 1,
    pointId: id,
    workload: 'p/w',
    parents,
    sequence: 1,
    createdAt: 0,
    summary,
  }
  return { ...row, condemned: false, flags: {}, ...rest }
}
const line = (length: number): ChainPoint[] =>
  Array.from({ length }, (_, at) => point(`p${length - at}`, at === length - 1 ? [] : [`p${length - at - 1}`]))
const options = { providerKind: 'files', maxIncrementals: 3 }

describe('what the next backup builds on', () => {
  it.each([
    ['no points', [], 'first backup'],
    ['only a condemned point', [point('a', [], { condemned: true })], 'first backup'],
    ['a newest point without disks', [point('a', [], { disks: 0 })], 'streams are always kept whole'],
    ['a newest point in quarantine', [point('a', [], { flags: { quarantine: 'bad' } })], 'the newest point is quarantined'],
    [
      'an ancestor in quarantine',
      [point('b', ['a']), point('a', [], { flags: { quarantine: 'bad' } })],
      'a point it would build on is quarantined',
    ],
    ['an ancestor that is not there', [point('b', ['a'])], 'a point it would build on is missing'],
    ['an ancestor that is condemned', [point('b', ['a']), point('a', [], { condemned: true })], 'a point it would build on is missing'],
    ['another kind of provider', [point('a', [], { kind: 'esxi' })], 'the newest point was made by a provider of kind esxi'],
    ['a full chain', line(4), 'the chain has reached 3 increments'],
    ['a circle', [point('b', ['a']), point('a', ['b'])], 'the chain has reached 3 increments'],
  ] as const)('%s: full', (_name, points, reason) => {
    expect(planChain(points, options)).toEqual({ form: 'full', reason })
  })

  it('is the newest point while the chain is short enough', () => {
    expect(planChain(line(3), options)).toMatchObject({ form: 'incremental', base: { pointId: 'p3' }, reason: 'builds on p3' })
    expect(planChain(line(1), { ...options, maxIncrementals: 0 })).toMatchObject({ form: 'full' })
    expect(planChain(line(10), { providerKind: 'files' })).toMatchObject({ form: 'incremental' })
    expect(planChain(line(11), { providerKind: 'files' })).toMatchObject({ form: 'full', reason: 'the chain has reached 10 increments' })
  })

  it('does not build on an older point over a newer one in quarantine', () => {
    expect(planChain([point('b', [], { flags: { quarantine: 'bad' } }), point('a', [])], options)).toMatchObject({ form: 'full' })
  })

  it('agrees with the definition on random catalogs', () => {
    const seed = 20261121
    const random = randomFrom(seed)
    const forms = { full: 0, incremental: 0 }
    for (let round = 0; round < 3000; round++) {
      const points = randomCatalog(random)
      const decision = planChain(points, options)
      forms[decision.form]++
      const alive = points.filter((each) => !each.condemned)
      const [newest] = alive
      const expected = newest === undefined ? undefined : walk(newest, alive)
      const why = `seed ${seed} round ${round}`
      expect(decision.form, why).toBe(expected !== undefined && expected.depth < 3 ? 'incremental' : 'full')
      if (decision.form !== 'incremental') continue
      expect(decision.base, why).toBe(newest)
      expect(new Set(decision.chain), why).toEqual(expected?.all)
      expect(
        decision.chain.every((each) => !each.condemned && each.flags.quarantine === undefined),
        why,
      ).toBe(true)
    }
    expect(Math.min(forms.full, forms.incremental)).toBeGreaterThan(300)
  })
})

/** The longest way down and everything on it, or undefined if something of it cannot be used. */
function walk(from: ChainPoint, alive: readonly ChainPoint[]): { depth: number; all: Set<ChainPoint> } | undefined {
  if (from.flags.quarantine !== undefined) return undefined
  const found = { depth: 0, all: new Set([from]) }
  for (const id of from.parents) {
    const parent = alive.find((each) => each.pointId === id)
    const below = parent && walk(parent, alive)
    if (below === undefined) return undefined
    found.depth = Math.max(found.depth, below.depth + 1)
    for (const each of below.all) found.all.add(each)
  }
  return found
}

function randomCatalog(random: () => number): ChainPoint[] {
  const points: ChainPoint[] = []
  const count = Math.floor(random() * 7)
  for (let at = 0; at < count; at++) {
    const parents = points.filter(() => random() < 0.35).map((each) => each.pointId)
    points.unshift(point(`p${at}`, parents, { condemned: random() < 0.08, flags: random() < 0.08 ? { quarantine: 'bad' } : {} }))
  }
  return points
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
