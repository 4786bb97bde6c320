import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithPeer } from '../../../../scripts/peers/test-peers.ts'
import { type Agreement, askQemu } from './ask-qemu.ts'
import type { BrokenReader } from './broken-readers.ts'
import { corpus, makeCorpus, readCorpus } from './corpus.ts'
import { mutantsOf } from './mutant.ts'
import { fuzz, keepFailures } from './run-batches.ts'
import { tryImage } from './try-image.ts'

const long = process.env.HOLDFAST_LONG === '1'
const count = long ? 100_000 : 2_000
const seed = Number(process.env.HOLDFAST_SEED ?? 20_261_121)
const children = Math.min(2, availableParallelism())

describeWithPeer('qemu-img', 'mutated images', ({ path: qemuImg }) => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'disk-image-fuzz-'))
    await makeCorpus(folder, qemuImg)
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('are made of images that are read without an error', async () => {
    for (const [index, file] of (await readCorpus(folder)).entries()) {
      const { name, format } = corpus[index] as (typeof corpus)[number]
      expect(`${name}: ${await tryImage(format, file)}`).toBe(`${name}: read`)
    }
  })

  it('are the same for the same seed', async () => {
    const [one, other] = [await mutantsOf(folder), await mutantsOf(folder)]
    const differences = Array.from({ length: 50 }, (_, number) => one(number).file.equals(other(number).file))
    expect(differences).toEqual(differences.map(() => true))
    expect(one(0).file.equals(other(corpus.length).file)).toBe(false)
  })

  it(`are read whole or refused with a code, ${count} times from seed ${seed} on: none hangs, ends its process or takes 128 MiB`, {
    timeout: 7_200_000,
  }, async () => {
    const { tried, outcomes, failures, peakBytes, slowestMs } = await fuzz({ folder, first: seed, count, children })
    console.log(`${tried} images, at most ${Math.ceil(peakBytes / 2 ** 20)} MiB and ${Math.ceil(slowestMs)} ms of processor time each`)
    expect(await keepFailures(folder, failures)).toEqual([])
    expect(tried).toBe(count)
    const kinds = corpus.map(({ name }) => [
      name,
      outcomes.get(`${name}: read`) ?? 0,
      outcomes.get(`${name}: refused at open: IMAGE_DAMAGED`) ?? 0,
    ])
    for (const [name, read, refused] of kinds) {
      expect(read, `${name} that were read`).toBeGreaterThan(0)
      expect(refused, `${name} that were refused`).toBeGreaterThan(0)
    }
  })

  const comparisons = long ? 5_000 : 150
  it(`are not read otherwise than QEMU reads them, ${comparisons} times from seed ${seed} on`, { timeout: 7_200_000 }, async () => {
    const mutantAt = await mutantsOf(folder)
    const agreements = new Map<Agreement, number>()
    for (let number = seed; number < seed + comparisons; number += 1) {
      const mutant = mutantAt(number)
      if (mutant.format === 'vmdk-stream') continue
      const agreement = await askQemu(folder, qemuImg, mutant).catch((error: unknown) => {
        throw new Error(`seed ${number}, ${mutant.name}`, { cause: error })
      })
      agreements.set(agreement, (agreements.get(agreement) ?? 0) + 1)
    }
    expect(agreements.get('same')).toBeGreaterThan(comparisons / 20)
  })

  const wrongs: readonly [broken: BrokenReader, why: RegExp, patienceMs?: number][] = [
    ['spins', /^hangs$/, 3000],
    ['waits', /^hangs$/, 3000],
    ['dies', /^ended the process: SIGKILL$/],
    ['throws', /TypeError: not what was promised/],
    ['takesMemory', /took \d{9} bytes$/],
    ['isSlow', /ms of processor time$/],
  ]
  it.each(wrongs)('show a reader that is wrong once, and its image stays in a file: it %s', async (broken, why, patienceMs) => {
    const result = await fuzz({ folder, first: 90, count: 4, children: 1, broken, ...(patienceMs !== undefined && { patienceMs }) })
    expect(result.failures).toHaveLength(1)
    expect(result.failures[0]?.why).toMatch(why)
    expect(result.tried).toBe(4)
    const [line] = await keepFailures(folder, result.failures)
    const path = /, (\/.*\.img): /.exec(line ?? '')?.[1] ?? ''
    const { seed: failed } = result.failures[0] as { seed: number }
    expect((await readFile(path)).equals((await mutantsOf(folder))(failed).file)).toBe(true)
    await rm(dirname(path), { recursive: true })
  })
})
