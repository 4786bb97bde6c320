import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'
import { day, nightly, planWorld } from '../../../test/plan-world.ts'

describe('merge', () => {
  it('makes a point a full of its own: what it built on can go, and it and its children restore as before', async () => {
    const { engine, ids, expectAllGood, formsOf } = await chainWorld(5)
    const [first, second, third] = ids as [string, string, string]
    expect(await formsOf(third)).toEqual([second, second])
    const merged = await engine.merge({ repository: 'main', point: third })
    expect(merged).toMatchObject({ point: third, number: 2, disks: [{ form: 'full' }, { form: 'full' }] })
    expect(await formsOf(third)).toEqual(['full', 'full'])
    await expectAllGood()
    await engine.idle()
    await engine.prune({ repository: 'main', points: [first, second] })
    expect((await engine.points({ repository: 'main' })).map(({ id }) => id).reverse()).toEqual(ids.slice(2))
    await expectAllGood()
  })

  it('takes over what lies between two points that stay, and builds on the older one', async () => {
    const { engine, ids, expectAllGood, formsOf } = await chainWorld(6)
    const [, second, third, fourth, fifth] = ids as [string, string, string, string, string]
    await engine.merge({ repository: 'main', point: fifth, absorb: [fourth, third] })
    expect(await formsOf(fifth)).toEqual([second, second])
    await engine.idle()
    await engine.prune({ repository: 'main', points: [third, fourth] })
    await expectAllGood()
  })

  it('goes no further down than the first point that is not to be taken over', async () => {
    const { engine, ids, expectAllGood, formsOf } = await chainWorld(5)
    const [, second, third, fourth, fifth] = ids as [string, string, string, string, string]
    await engine.merge({ repository: 'main', point: fifth, absorb: [fourth, second] })
    expect(await formsOf(fifth)).toEqual([third, third])
    await expectAllGood()
  })

  it('names a disk that needs nothing again, and writes only the other', async () => {
    const { engine, platform, workload, backup, expectAllGood, repository, formsOf } = await chainWorld(2)
    platform.loseBitmaps(workload.id)
    const third = await backup()
    expect(await formsOf(third)).toContain('full')
    const { disks } = await engine.merge({ repository: 'main', point: third })
    expect(disks).toHaveLength(1)
    expect(await formsOf(third)).toEqual(['full', 'full'])
    const signal = new AbortController().signal
    const files: string[] = []
    for await (const { path } of repository.list('', { signal })) if (path.includes(third) && path.endsWith('.qcow2')) files.push(path)
    expect(files.filter((path) => path.includes('/2/'))).toHaveLength(1)
    expect(files.filter((path) => path.includes('/1/'))).not.toHaveLength(0)
    await expectAllGood()
  })

  it('leaves nothing of the old number after the prune that follows it, except what is still named', async () => {
    const { engine, ids, repository, expectAllGood } = await chainWorld(4)
    await engine.merge({ repository: 'main', point: ids[2] as string })
    await engine.idle()
    const signal = new AbortController().signal
    const old: string[] = []
    for await (const { path, size } of repository.list('', { signal })) if (path.includes(`${ids[2]}/1/`) && size > 0) old.push(path)
    expect(old).toEqual([])
    await expectAllGood()
  })

  it('takes the mark of a verification off: its new files were not read again', async () => {
    const { engine, ids } = await chainWorld(3)
    const verifiedAt = async () => (await engine.points({ repository: 'main' })).find(({ id }) => id === ids[2])?.flags.verifiedAt
    await engine.verify({ repository: 'main' })
    expect(await verifiedAt()).toBeDefined()
    await engine.merge({ repository: 'main', point: ids[2] as string })
    expect(await verifiedAt()).toBeUndefined()
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
    expect(await verifiedAt()).toBeDefined()
  })

  it('does nothing for a point that needs no other', async () => {
    const { engine, ids } = await chainWorld(2)
    expect(await engine.merge({ repository: 'main', point: ids[0] as string })).toMatchObject({ number: 1, disks: [] })
    expect(await engine.merge({ repository: 'main', point: ids[1] as string })).toMatchObject({ number: 2 })
    expect(await engine.merge({ repository: 'main', point: ids[1] as string })).toMatchObject({ number: 2, disks: [] })
  })

  it('is done when retention asked for it and the point has been deleted since', async () => {
    const { engine } = await chainWorld(1)
    const gone = { operation: 'merge', repository: 'main', point: '20200101T000000Z-0123456789abcdef', byRetention: true } as const
    expect(await engine.run({ ...gone, key: 'late' })).toEqual({ repository: 'main', point: gone.point, disks: [] })
  })

  it('refuses to take over what the point does not build on', async () => {
    const { engine, ids } = await chainWorld(3)
    const [first, second, third] = ids as [string, string, string]
    for (const absorb of ['20200101T000000Z-0123456789abcdef', third, second])
      await expect(engine.merge({ repository: 'main', point: second, absorb: [first, absorb] })).rejects.toMatchObject({
        code: 'NOT_FOUND',
        message: `Point ${second} in repository "main" does not build on ${absorb}.`,
      })
    expect(await engine.merge({ repository: 'main', point: third, absorb: [second] })).toMatchObject({ number: 2 })
  })

  it('refuses to take over only what lies below a point that stays, and names that point', async () => {
    const { engine, ids, formsOf } = await chainWorld(5)
    const [first, second, third, fourth, fifth] = ids as [string, string, string, string, string]
    await expect(engine.merge({ repository: 'main', point: fifth, absorb: [second] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: `Point ${fifth} is not merged with ${second}: ${fourth}, ${third} lie between and are not named.`,
      remedy: expect.stringContaining('absorb'),
    })
    await expect(engine.merge({ repository: 'main', point: fifth, absorb: [first, third] })).rejects.toMatchObject({
      message: `Point ${fifth} is not merged with ${third}, ${first}: ${fourth}, ${second} lie between and are not named.`,
    })
    await expect(engine.merge({ repository: 'main', point: third, absorb: [first] })).rejects.toMatchObject({
      message: `Point ${third} is not merged with ${first}: ${second} lies between and is not named.`,
    })
    expect(await formsOf(fifth)).toEqual([fourth, fourth])
  })

  it('names the manifest of its chain that is not there', async () => {
    const { engine, ids, repository } = await chainWorld(3)
    const { signal } = new AbortController()
    let lost = ''
    for await (const { path } of repository.list('', { signal })) if (path.endsWith(`${ids[0]}/manifest.1.json`)) lost = path
    await repository.delete(lost, { signal })
    await expect(engine.merge({ repository: 'main', point: ids[2] as string })).rejects.toMatchObject({
      code: 'POINT_DAMAGED',
      message: `Point ${ids[2]} is not merged: ${lost} is gone.`,
      details: { cause: { file: lost } },
    })
  })

  it('refuses points that are not there, and a chain that is quarantined or damaged', async () => {
    const { engine, ids, spoil } = await chainWorld(3)
    const unknown = '20200101T000000Z-0123456789abcdef'
    await expect(engine.merge({ repository: 'main', point: unknown })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await spoil(ids[0])
    await expect(engine.merge({ repository: 'main', point: ids[2] as string })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    await engine.idle()
    // Nobody has asked for a verification: the merge that failed did.
    const aside = (await engine.points({ repository: 'main' })).filter(({ flags }) => flags.quarantine !== undefined)
    expect(aside.map(({ id }) => id)).toContain(ids[0])
    const refused = engine.merge({ repository: 'main', point: ids[2] as string })
    await expect(refused).rejects.toMatchObject({
      code: 'POINT_DAMAGED',
      message: expect.stringMatching(/not merged: [\w-]+, which it builds on, is quarantined/),
    })
  })
})

describe('retention with chains: merge', () => {
  async function week(retention: { readonly last: number; readonly chains?: 'merge' }) {
    const world = planWorld('ovirtLike')
    const { clock, platform, make } = world
    const machine = platform.addMachine('web')
    const engine = await make({ web: nightly(machine, { retention }) })
    await clock.runUntil(engine.runDue())
    const random = seededRandom(3)
    for (let days = 0; days < 6; days++) {
      for (let writes = 0; writes < 3; writes++) platform.mutate(random)
      await clock.advance(day)
      await clock.runUntil(engine.runDue())
    }
    return { ...world, engine, points: await engine.points({ repository: 'main' }) }
  }

  it('keeps so many points as it says and no base besides: the oldest becomes a full each time', async () => {
    const { clock, engine, points, runs, close } = await week({ last: 2, chains: 'merge' })
    expect(points).toHaveLength(2)
    expect(points.at(-1)?.summary.disks.map(({ form }) => form)).toEqual(['full', 'full'])
    expect(points[0]?.parents).toEqual([points[1]?.id])
    expect((await clock.runUntil(Promise.resolve(engine.verify({ repository: 'main' })))).findings).toEqual([])
    const merges = await runs('merge')
    expect(merges.length).toBeGreaterThan(2)
    expect(merges.every(({ state, planId }) => state === 'succeeded' && planId === 'web')).toBe(true)
    await close()
  })

  it('without it the bases stay', async () => {
    const { points, runs, close } = await week({ last: 2 })
    expect(points).toHaveLength(6)
    expect(await runs('merge')).toEqual([])
    await close()
  })
})
