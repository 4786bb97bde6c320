import {
  countingIds,
  memoryPlatform,
  memoryRepository,
  memoryStore,
  type ProviderShape,
  scriptedProvider,
  seededRandom,
} from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { hastyClock } from '../../../test/damage/damage-world.ts'
import type { BackupOutcome } from '../../model/run-outcome.ts'
import { bytesOf } from '../../spec/helpers/bytes.ts'
import type { Provider } from '../../spec/provider.ts'
import { createEngine } from '../create-engine.ts'

const options = { signal: new AbortController().signal }

/** A machine with a full and an increment. */
async function world(shape: ProviderShape) {
  const clock = hastyClock
  const platform = memoryPlatform({ random: seededRandom(11), clusters: 12 })
  const repository = memoryRepository({ clock })
  const scripted = scriptedProvider(platform, { shape, name: 'p' })
  const meanwhile: { act?: () => Promise<unknown> } = {}
  const provider: Provider = {
    ...scripted,
    async backup(request, sink, run) {
      const result = await scripted.backup(request, sink, run)
      const { act } = meanwhile
      delete meanwhile.act
      await act?.()
      return result
    },
  }
  const engine = await createEngine({
    name: 'node-a',
    store: memoryStore({ clock, ids: countingIds('s') }),
    repositories: { main: repository },
    providers: { p: provider },
    clock,
    ids: countingIds('e'),
    retry: { maxFailures: 3 },
  })
  onTestFinished(() => engine.stop())
  await engine.start()
  const workload = { provider: 'p', id: platform.addMachine('shop') }
  const random = seededRandom(5)
  const digests = new Map<string, string | undefined>()
  let count = 0
  const backup = async (): Promise<BackupOutcome> => {
    platform.mutate(random)
    const digest = platform.digest(workload.id)
    const outcome = (await engine.run({
      key: `backup-${count++}`,
      operation: 'backup',
      repository: 'main',
      workload,
    })) as unknown as BackupOutcome
    digests.set(outcome.point, digest)
    return outcome
  }
  const base = await backup()
  const child = await backup()
  const sums: string[] = []
  for await (const { path } of repository.list('', options)) if (path.includes(base.point) && path.endsWith('.sums')) sums.push(path)
  const read = async (path: string) => {
    const file = await repository.open(path, options)
    const bytes = Buffer.alloc(file.size)
    await file.readInto(bytes, 0, options)
    await file[Symbol.asyncDispose]()
    return bytes
  }
  const put = (path: string, bytes: Uint8Array) => repository.put(path, bytesOf(bytes), options)
  const restores = async (point: string) => {
    const { workload: made } = (await engine.restore(workload, { repository: 'main', point, name: `again-${count++}` })) as {
      workload: string
    }
    return platform.digest(made) === digests.get(point)
  }
  return { engine, repository, meanwhile, workload, base, child, sums, backup, read, put, restores }
}

const damages: { readonly [how: string]: (bytes: Buffer) => Buffer | undefined } = {
  'are missing': () => undefined,
  'were cut': (bytes) => bytes.subarray(0, bytes.length - 24),
  'have a flipped bit': (bytes) => {
    const other = Buffer.from(bytes)
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1
    return other
  },
}
const cases = (['ovirtLike', 'esxiLike'] as const).flatMap((shape) => Object.keys(damages).map((how) => ({ shape, how })))

test.each(cases)(
  'when the sums of a base $how a full is made ($shape), what is damaged is set aside, and all later points restore',
  async ({ shape, how }) => {
    const { engine, repository, base, child, sums, backup, read, put, restores } = await world(shape)
    expect(child.items.map(({ form }) => form)).toContain('incremental')
    expect(sums.length).toBeGreaterThan(0)
    for (const path of sums) {
      const damaged = damages[how]?.(await read(path))
      if (damaged === undefined) await repository.delete(path, options)
      else await put(path, damaged)
    }
    const full = await backup()
    expect(full.items.filter(({ form }) => form === 'incremental')).toEqual([])
    if (shape === 'ovirtLike') expect(full.items.find(({ form }) => form === 'full')?.reason).toContain('the base cannot be built on')
    await engine.idle()
    const points = await engine.points({ repository: 'main' })
    const aside = points.filter(({ flags }) => flags.quarantine !== undefined).map(({ id }) => id)
    expect(aside.sort()).toEqual([base.point, child.point].sort())
    const next = await backup()
    expect(next.items.map(({ form }) => form)).toContain('incremental')
    for (const { point } of [full, next]) expect(await restores(point)).toBe(true)
  },
)

test('what is found damaged while a backup builds on it is no base any more: a full is made in the same run', async () => {
  const { engine, repository, meanwhile, workload, base, child, backup, read, put, restores } = await world('ovirtLike')
  const disks: string[] = []
  for await (const { path } of repository.list('', options)) if (path.includes(base.point) && path.endsWith('.qcow2')) disks.push(path)
  const [disk = ''] = disks
  const rotten = await read(disk)
  rotten[rotten.length - 1] = (rotten.at(-1) ?? 0) ^ 1
  meanwhile.act = async () => {
    await put(disk, rotten)
    const { findings } = await engine.verify({ repository: 'main', workload, points: [base.point, child.point] })
    expect(findings.map(({ point }) => point)).toEqual([base.point])
  }
  const made = await backup()
  expect(made.items.map(({ form, reason }) => [form, reason])).toEqual(
    made.items.map(() => ['full', expect.stringContaining('was quarantined meanwhile')]),
  )
  await engine.idle()
  expect((await engine.points({ repository: 'main' }))[0]).toMatchObject({ id: made.point, parents: [] })
  expect(await restores(made.point)).toBe(true)
})
