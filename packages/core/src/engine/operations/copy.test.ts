import { seededRandom } from '@holdfast/testkit'
import { describe, expect, it } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'
import { day, nightly, planWorld } from '../../../test/plan-world.ts'
import type { Manifest } from '../../model/manifest.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'

const signal = new AbortController().signal

describe('copy', () => {
  it('copies all points of a workload, each building on the one before, and each restores from there', async () => {
    const { engine, ids, workload, expectAllGood, formsOf } = await chainWorld(4)
    const copied = await engine.copy({ from: 'main', repository: 'offsite', workload })
    expect(copied).toMatchObject({ repository: 'offsite', point: ids[0], number: 1 })
    await engine.idle()
    const points = await engine.points({ repository: 'offsite' })
    expect(points.map(({ id }) => id).reverse()).toEqual(ids)
    expect(await formsOf(ids[0], 'offsite')).toEqual(['full', 'full'])
    expect(await formsOf(ids[3], 'offsite')).toEqual([ids[2], ids[2]])
    await expectAllGood('offsite')
    await expectAllGood('main')
  })

  it('that runs again because the catalog was rolled back finds the point that it has made, and takes no other for it', async () => {
    const { engine, ids, workload, store } = await chainWorld(3)
    const order = { key: 'weekly', operation: 'copy', from: 'main', repository: 'offsite', workload } as const
    const yesterday = store.dump()
    const made = await engine.run(order)
    await engine.idle()
    store.load(yesterday)
    await engine.rescan({ repository: 'offsite' })
    expect(await engine.run(order)).toMatchObject({ point: ids[0], number: 1 })
    expect(made).toMatchObject({ point: ids[0], number: 1 })
    await engine.idle()
    expect((await engine.points({ repository: 'offsite' })).map(({ id }) => id).reverse()).toEqual(ids)
  })

  it('copies only what is new the next time, and nothing when there is nothing new', async () => {
    const { engine, ids, workload, backup, expectAllGood } = await chainWorld(2)
    const copyAll = async () => {
      const first = await engine.copy({ from: 'main', repository: 'offsite', workload })
      await engine.idle()
      return first
    }
    await copyAll()
    expect(await copyAll()).toEqual({ repository: 'offsite', stored: 0 })
    const third = await backup()
    expect(await copyAll()).toMatchObject({ point: third })
    expect((await engine.points({ repository: 'offsite' })).map(({ id }) => id)).toEqual([third, ...ids.toReversed()])
    await expectAllGood('offsite')
  })

  it('says of a named point that is there already that it is not copied, and what to do if its files are damaged', async () => {
    const { engine, ids, workload } = await chainWorld(2)
    const told: string[] = []
    engine.on('warning', ({ code, message }) => told.push(`${code} ${message}`))
    const [first = '', second = ''] = ids
    const copyNamed = async (points: readonly string[]) => {
      const made = await engine.copy({ from: 'main', repository: 'offsite', workload, points })
      await engine.idle()
      return made
    }
    expect(await copyNamed([first])).toMatchObject({ point: first })
    expect(told).toEqual([])
    expect(await copyNamed([first, second])).toMatchObject({ point: second })
    expect(told).toEqual([expect.stringMatching(`^ALREADY_THERE .*${first} already.*verify it there first`)])
    expect(await copyNamed([first])).toEqual({ repository: 'offsite', stored: 0 })
    expect(told).toHaveLength(2)
  })

  it('does nothing for a plan when the points have been deleted meanwhile, and says to a person that there are none', async () => {
    const { engine, ids, workload, store } = await chainWorld(1)
    await engine.prune({ repository: 'main', points: ids })
    const input = { operation: 'copy', from: 'main', repository: 'offsite', workload, turn: 1 }
    const needs = ['repository:main', 'repository:offsite']
    const common = { operation: 'copy', workload: `p/${workload.id}`, delay: 0, priority: 0, maxFailures: 1, needs, resources: [] }
    await store.runs.create([{ ...common, key: 'planned', planId: 'nightly', input }], { signal })
    await engine.idle()
    expect(await engine.getRun('planned')).toMatchObject({ state: 'succeeded', result: { repository: 'offsite', stored: 0 } })
    await expect(engine.copy({ from: 'main', repository: 'offsite', workload })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('writes into a point what is not there of its chain: a named point comes alone, as a full', async () => {
    const { engine, ids, workload, expectAllGood, formsOf } = await chainWorld(4)
    await engine.copy({ from: 'main', repository: 'offsite', workload, points: [ids[2] as string] })
    await engine.idle()
    expect((await engine.points({ repository: 'offsite' })).map(({ id }) => id)).toEqual([ids[2]])
    expect(await formsOf(ids[2], 'offsite')).toEqual(['full', 'full'])
    await engine.copy({ from: 'main', repository: 'offsite', workload })
    await engine.idle()
    expect(await formsOf(ids[3], 'offsite')).toEqual([ids[2], ids[2]])
    await expectAllGood('offsite')
  })

  it('keeps the order of the backups, whichever is copied last: the newest stays the newest', async () => {
    const { engine, ids, workload, backup, platform, expectAllGood } = await chainWorld(4)
    const copy = async (...points: readonly (string | undefined)[]) => {
      await engine.copy({ from: 'main', repository: 'offsite', workload, points: points.map((id) => id ?? '') })
      await engine.idle()
    }
    await copy(ids[3])
    await copy(ids[0])
    await copy(ids[2], ids[1])
    expect((await engine.points({ repository: 'offsite' })).map(({ id }) => id).reverse()).toEqual(ids)
    const [newest, latest] = await Promise.all(
      ([{ point: ids[3] ?? '', name: 'newest' }, { name: 'latest' }] as const).map((each) =>
        engine.restore(workload, { repository: 'offsite', ...each }),
      ),
    )
    expect(platform.digest(latest?.workload ?? '')).toBe(platform.digest(newest?.workload ?? ''))
    await engine.copy({ from: 'main', repository: 'offsite', workload, points: [await backup()] })
    expect((await engine.points({ repository: 'offsite' })).map(({ sequence }) => sequence)).toEqual([5, 4, 3, 2, 1])
    await expectAllGood('offsite')
  })

  it('builds on the copy of a point that was merged in one of the two repositories', async () => {
    const { engine, ids, workload, backup, expectAllGood, formsOf } = await chainWorld(3)
    await engine.copy({ from: 'main', repository: 'offsite', workload })
    await engine.idle()
    await engine.merge({ repository: 'offsite', point: ids[2] as string })
    await engine.idle()
    await engine.prune({ repository: 'offsite', points: [ids[0] as string, ids[1] as string] })
    const fourth = await backup()
    await engine.copy({ from: 'main', repository: 'offsite', workload })
    await engine.idle()
    expect(await formsOf(fourth, 'offsite')).toEqual([ids[2], ids[2]])
    await expectAllGood('offsite')
  })

  it('copies streams byte for byte, with what is needed to read them without this program', async () => {
    const { engine, ids, workload, repository, offsite, expectAllGood } = await chainWorld(2, 'tarVolume')
    await engine.copy({ from: 'main', repository: 'offsite', workload })
    await engine.idle()
    const names = async (from: typeof repository) => {
      const found: string[] = []
      for await (const { path } of from.list('', { signal })) if (path.includes(ids[1] as string)) found.push(path)
      return found.sort()
    }
    expect(await names(offsite)).toEqual(await names(repository))
    await expectAllGood('offsite')
  })

  it.each(['ovirtLike', 'esxiLike'] as const)(
    'keeps the old names of a disk where it was bad, and takes them nowhere else (%s)',
    async (shape) => {
      const { engine, ids, workload, repository, offsite, expectAllGood } = await chainWorld(1, shape)
      const points = ids.slice(0, 1)
      const copy = async (from: string, to: string) => {
        await engine.copy({ from, repository: to, workload, points })
        await engine.idle()
      }
      const oldNames = async (storage: typeof repository, number: number) => {
        const path = [...storage.snapshot().keys()].find((each) => each.endsWith(`${ids[0]}/manifest.${number}.json`)) ?? ''
        const manifest = JSON.parse(Buffer.from(storage.snapshot().get(path) ?? '').toString()) as Manifest
        return manifest.items.filter(({ disk }) => disk !== undefined).map(({ replaces }) => replaces)
      }
      await copy('main', 'offsite')
      for (const [path, bytes] of offsite.snapshot())
        if (/\.(qcow2|vmdk)$/.test(path)) await offsite.put(path, bytesOf(bytes.with(-3000, 255 - (bytes.at(-3000) ?? 0))), { signal })
      expect((await engine.verify({ repository: 'offsite' })).findings).not.toEqual([])
      await copy('main', 'offsite')
      expect(await oldNames(offsite, 2)).toEqual([[expect.stringMatching(/^1\/.*-0\./)], [expect.stringMatching(/^1\/.*-1\./)]])
      await engine.prune({ repository: 'main', points })
      await copy('offsite', 'main')
      expect(await oldNames(repository, 2)).toEqual([undefined, undefined])
      await expectAllGood('main')
    },
  )

  it('refuses a copy beside itself, points that are not there, and what is damaged where it is', async () => {
    const { engine, ids, workload, spoil } = await chainWorld(2)
    await expect(engine.copy({ from: 'main', repository: 'main', workload })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    const nobody = { provider: 'p', id: 'misspelt' }
    await expect(engine.copy({ from: 'main', repository: 'offsite', workload: nobody })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    const points = ['20200101T000000Z-0123456789abcdef']
    await expect(engine.copy({ from: 'main', repository: 'offsite', workload, points })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await spoil(ids[0])
    await expect(engine.copy({ from: 'main', repository: 'offsite', workload })).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(await engine.points({ repository: 'offsite' })).toEqual([])
  })
})

describe('a plan that copies', () => {
  it('copies each point after its backup, and keeps there what its own retention says', async () => {
    const { clock, platform, make, runs, close } = planWorld('ovirtLike', ['offsite'])
    const machine = platform.addMachine('web')
    const copy = [{ repository: 'offsite', retention: { last: 3, chains: 'merge' as const } }]
    const engine = await make({ web: nightly(machine, { retention: { last: 1, chains: 'merge' }, copy }) })
    await clock.runUntil(engine.runDue())
    const random = seededRandom(3)
    for (let days = 0; days < 6; days++) {
      for (let writes = 0; writes < 3; writes++) platform.mutate(random)
      await clock.advance(day)
      await clock.runUntil(engine.runDue())
    }
    expect(await engine.points({ repository: 'offsite' })).toHaveLength(3)
    // The copies have read them, and yet nothing more stays than the plan says.
    expect(await engine.points({ repository: 'main' })).toHaveLength(1)
    const { findings } = await clock.runUntil(Promise.resolve(engine.verify({ repository: 'offsite' })))
    expect(findings).toEqual([])
    expect((await runs()).filter(({ state }) => state === 'failed')).toEqual([])
    await close()
  })

  it('goes on copying after a backup that was made while the clock was a year ahead', async () => {
    const { clock, platform, make, close } = planWorld('ovirtLike', ['offsite'])
    const machine = platform.addMachine('web')
    const engine = await make({ web: nightly(machine, { copy: [{ repository: 'offsite' }] }) })
    const random = seededRandom(3)
    const nights = async (count: number) => {
      for (let night = 0; night < count; night++) {
        for (let writes = 0; writes < 3; writes++) platform.mutate(random)
        await clock.advance(day)
        await clock.runUntil(engine.runDue())
      }
    }
    await clock.runUntil(engine.runDue())
    await nights(1)
    clock.jump(365 * day)
    await clock.runUntil(engine.runDue())
    clock.jump(-365 * day)
    await nights(4)
    const [main, offsite] = await Promise.all(['main', 'offsite'].map((repository) => engine.points({ repository })))
    expect(main?.some(({ createdAt }) => Date.parse(createdAt) > clock.now())).toBe(true)
    expect(offsite?.map(({ id }) => id)).toEqual(main?.map(({ id }) => id))
    await close()
  })

  it('is refused when it copies to itself, twice to one place, or to nowhere', async () => {
    const { make, close } = planWorld('ovirtLike', ['offsite'])
    const wrong = (copy: readonly { readonly repository: string }[]) =>
      make({ web: nightly('vm-1', { copy }) }).then((engine) => engine.start())
    await expect(wrong([{ repository: 'main' }])).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining('copy[0].repository'),
    })
    await expect(wrong([{ repository: 'offsite' }, { repository: 'offsite' }])).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await expect(wrong([{ repository: 'nowhere' }])).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    await close()
  })
})
