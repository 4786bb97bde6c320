import { countingIds, memoryPlatform, memoryRepository, memoryStore, scriptedProvider, seededRandom } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { chainWorld } from '../../../test/chain-world.ts'
import { systemClock } from '../../clock.ts'
import { encodeFlag } from '../../model/flags.ts'
import { decodeManifest, encodeManifest } from '../../model/manifest.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
import type { Store } from '../../spec/store.ts'
import { createEngine } from '../create-engine.ts'

const options = { signal: new AbortController().signal }

/** One point of a volume, its files by hand, and what the engine has told. */
async function pointWorld() {
  const world = await chainWorld(1, 'tarVolume')
  const { repository, engine, ids } = world
  const point = ids[0] as string
  const [path = ''] = [...repository.snapshot().keys()].filter((each) => each.includes(point))
  const folder = path.split('/').slice(0, 2).join('/')
  const told: { readonly code: string; readonly message: string }[] = []
  engine.on('warning', ({ code, message }) => told.push({ code, message }))
  const deleted: string[] = []
  engine.on('point-deleted', (event) => deleted.push(event.point))
  const put = (name: string, bytes: Uint8Array) => repository.put(`${folder}/${name}`, bytesOf(bytes), options)
  /** The same point under the next number, as a merge would leave it: it names the files of number 1. */
  const secondNumber = () => {
    const first = repository.snapshot().get(`${folder}/manifest.1.json`) as Uint8Array
    return encodeManifest({ ...decodeManifest(first, { folder, number: 1 }), number: 2 })
  }
  const prune = (key: string) => engine.run({ key, operation: 'prune', repository: 'main', points: [point] })
  /** Of the point, as they lie there; an empty one with a 0 behind it. */
  const files = () =>
    [...repository.snapshot()]
      .filter(([each]) => each.startsWith(folder))
      .map(([each, bytes]) => `${each.slice(folder.length + 1)}${bytes.length === 0 ? ' 0' : ''}`)
      .sort()
  return { ...world, point, folder, told, deleted, put, prune, files, secondNumber }
}

/** A store that has forgotten every flag, as one that was rolled back to a moment before they were set. */
function forgetful(store: Store): Store {
  return {
    ...store,
    points: {
      ...store.points,
      async catalog(repository, workload, options) {
        const catalog = await store.points.catalog(repository, workload, options)
        return { ...catalog, points: catalog.points.map((point) => ({ ...point, flags: {} })) }
      },
    },
  }
}

test('a pin that only the repository remembers keeps its point from being deleted', async () => {
  const platform = memoryPlatform({ random: seededRandom(9) })
  const id = platform.addVolume('data')
  const repository = memoryRepository({ clock: systemClock })
  const store = memoryStore({ clock: systemClock, ids: countingIds('s') })
  const common = {
    repositories: { main: repository },
    providers: { p: scriptedProvider(platform, { shape: 'tarVolume', name: 'p' }) },
    plans: { nightly: { kind: 'backup', repository: 'main', workloads: [{ provider: 'p', id }] } },
  } as const
  const first = await createEngine({ name: 'node-a', store, ...common })
  await first.start()
  const [outcome] = await first.runPlan('nightly')
  const point = outcome?.point ?? ''
  await first.pin({ repository: 'main', point }, 'audit')
  await first.stop()

  const second = await createEngine({ name: 'node-a', store: forgetful(store), ...common })
  await expect(second.prune({ repository: 'main', points: [point] })).rejects.toMatchObject({
    code: 'POINT_NEEDED',
    message: expect.stringContaining('audit'),
  })
  const { findings } = await second.verify({ repository: 'main', points: [point] })
  expect(findings.filter(({ file }) => !file.endsWith('pin.json'))).toEqual([])
  await second.stop()
})

test('a point beside a manifest that cannot be read stays condemned, is not called deleted, and a warning names that file', async () => {
  const { engine, folder, told, deleted, put, prune, files } = await pointWorld()
  const whole = files()
  await put('manifest.2.json', Buffer.from('rotten'))
  expect(await prune('first')).toMatchObject({ points: [], bytes: 0 })
  const left = [...whole.filter((name) => name !== 'manifest.1.json'), 'manifest.1.json 0', 'manifest.2.json'].sort()
  expect(files()).toEqual(left)
  expect(told.filter(({ code }) => code === 'NOT_DELETED')).toEqual([
    { code: 'NOT_DELETED', message: expect.stringContaining(`${folder}/manifest.2.json`) },
  ])
  expect(await engine.points({ repository: 'main' })).toEqual([])
  expect(await engine.rescan({ repository: 'main' })).toMatchObject({ added: 0, removed: 0 })
  await engine.run({ key: 'sweep', operation: 'sweep', repository: 'main' })
  expect(await engine.prune({ repository: 'main', retention: true })).toMatchObject({ points: [] })
  expect(told.filter(({ code }) => code === 'NOT_DELETED')).toHaveLength(2)
  expect(files()).toEqual(left)
  expect(deleted).toEqual([])
})

test('what stayed beside a manifest that could not be read goes with the next prune after that one was removed', async () => {
  const { engine, repository, point, folder, told, deleted, put, prune, files } = await pointWorld()
  await put('manifest.2.json', Buffer.from('rotten'))
  await prune('first')
  await engine.rescan({ repository: 'main' })
  await repository.delete(`${folder}/manifest.2.json`, options)
  const before = told.length
  expect(await engine.prune({ repository: 'main', retention: true })).toMatchObject({ points: [point] })
  expect(files()).toEqual(['manifest.1.json 0'])
  expect(deleted).toEqual([point])
  expect(told.slice(before)).toEqual([])
})

test.each(['with a rescan between', 'without'])('... and after it was mended, %s', async (between) => {
  const { engine, point, deleted, put, prune, files, secondNumber, expectAllGood } = await pointWorld()
  const mended = secondNumber()
  await put('manifest.2.json', mended.slice(0, -10))
  await prune('first')
  await put('manifest.2.json', mended)
  if (between === 'without') await engine.prune({ repository: 'main', retention: true })
  else await engine.rescan({ repository: 'main' })
  // It is a point again, and nobody has asked to delete this one.
  expect((await engine.points({ repository: 'main' })).map(({ id }) => id)).toEqual([point])
  await expectAllGood()
  expect(await prune('second')).toMatchObject({ points: [point] })
  expect(files()).toEqual(['manifest.1.json 0', 'manifest.2.json 0'])
  expect(deleted).toEqual([point])
})

test('a manifest that was mended meanwhile is found by a prune that names its point, and goes with it', async () => {
  const { point, put, prune, files, secondNumber } = await pointWorld()
  const mended = secondNumber()
  await put('manifest.2.json', mended.slice(0, -10))
  await prune('first')
  await put('manifest.2.json', mended)
  expect(await prune('second')).toMatchObject({ points: [point] })
  expect(files()).toEqual(['manifest.1.json 0', 'manifest.2.json 0'])
})

test('a manifest that cannot be read and is condemned itself keeps nothing', async () => {
  const { engine, point, told, put, prune, files, secondNumber } = await pointWorld()
  await put('manifest.2.json', secondNumber())
  await engine.rescan({ repository: 'main' })
  await put('manifest.2.json', Buffer.from('rotten'))
  expect(await prune('first')).toMatchObject({ points: [point] })
  expect(files()).toEqual(['manifest.1.json 0', 'manifest.2.json 0'])
  expect(told).toEqual([])
})

test.each([0, 1])('a prune of points of two workloads that is refused for one of them condemns neither (%i)', async (pinned) => {
  const { engine, repository, ids, platform } = await chainWorld(1, 'tarVolume')
  const workload = { provider: 'p', id: platform.addVolume('mail') }
  const { point } = (await engine.run({ key: 'mail', operation: 'backup', repository: 'main', workload })) as { readonly point: string }
  const points = [ids[0] as string, point]
  // Only the repository remembers this pin: the database was rolled back behind it.
  const path = [...repository.snapshot().keys()].find((each) => each.includes(points[pinned] as string)) as string
  const folder = path.split('/').slice(0, 2).join('/')
  await repository.put(`${folder}/pin.json`, bytesOf(encodeFlag(folder, 'pin', { pin: 'audit' }) as Uint8Array), options)
  await expect(engine.prune({ repository: 'main', points })).rejects.toMatchObject({
    code: 'POINT_NEEDED',
    message: expect.stringContaining('audit'),
  })
  expect((await engine.points({ repository: 'main' })).map(({ id }) => id).sort()).toEqual([...points].sort())
})

test.each(['catalog', 'repository'])(
  'an old number stays while what took its place is quarantined, as only the %s knows',
  async (knows) => {
    const { engine, store, point, folder, told, put, files, secondNumber } = await pointWorld()
    await put('manifest.2.json', secondNumber())
    await engine.rescan({ repository: 'main' })
    const flags = { quarantine: 'damaged' }
    if (knows === 'catalog') await store.points.flag('main', folder, flags, options)
    else await put('quarantine.json', encodeFlag(folder, 'quarantine', flags) as Uint8Array)
    await engine.prune({ repository: 'main', retention: true })
    expect(files()).toContain('manifest.1.json')
    expect(told).toEqual([{ code: 'MERGE_NOT_WHOLE', message: expect.stringContaining('quarantined (damaged)') }])
    await engine.liftQuarantine({ repository: 'main', point })
    await engine.prune({ repository: 'main', retention: true })
    expect(files()).toContain('manifest.1.json 0')
  },
)
