import type { Provider, SnapshotAbility } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { failuresOn, type Mistake, mustBeCaught, type UnderTest } from './suite-on.ts'

/** The snapshots of a provider that keeps all its other promises. */
const changed =
  (change: (sound: SnapshotAbility, fixture: UnderTest, provider: Provider) => Partial<SnapshotAbility>): Mistake['breakIt'] =>
  (provider, fixture) => {
    const { snapshots } = provider
    if (!snapshots) throw new Error('the sound provider has no snapshots')
    return { snapshots: { ...snapshots, ...change(snapshots, fixture, provider) } }
  }

/** Each breaks one promise about snapshots. */
const broken: { readonly [mistake: string]: Mistake } = {
  'never keeps its intent': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > a snapshot carries the mark',
    says: /no intent was kept/,
    breakIt: changed((sound) => ({
      create: (workload, request, run) =>
        sound.create(workload, request, { ...run, intend: async (...given) => ({ ...(await run.intend(...given)), keep() {} }) }),
    })),
  },
  'makes snapshots without the mark': {
    shape: 'ovirtLike',
    caughtBy: 'snapshots > a snapshot carries the mark',
    breakIt: changed((sound, { platform }) => ({
      async create(workload, _request, run) {
        const intent = await run.intend('remove-kept-snapshot', { machine: workload })
        const id = platform.addSnapshot(workload, 'contract')
        intent.keep()
        const made = (await sound.list(workload, run)).find((each) => each.id === id)
        return made ?? Promise.reject(new Error('it is gone'))
      },
    })),
  },
  'shows no marks': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > a snapshot carries the mark',
    breakIt: changed((sound) => ({
      list: async (...given) => (await sound.list(...given)).map(({ mark: _, ...snapshot }) => snapshot),
    })),
  },
  'stores its intent after the snapshot': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > stores an intent before it',
    breakIt: changed((_sound, { platform }) => ({
      async create(workload, request, run) {
        const { disks: _, ...made } = await platform.machines.keepSnapshot(workload, request, run.mark, run)
        ;(await run.intend('remove-kept-snapshot', { machine: workload })).keep()
        return made
      },
    })),
  },
  'calls a kept snapshot a leftover': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > a kept snapshot is no leftover',
    breakIt: (sound, { platform }) => ({
      async *leftovers(options) {
        for (const { id: machine, kept } of await platform.machines.list(options))
          for (const { id, mark } of kept)
            if (mark) yield { id, provider: 'p', kind: 'remove-kept-snapshot', data: { machine }, mark, kept: false }
        yield* sound.leftovers?.(options) ?? []
      },
    }),
  },
  'undoes the snapshot of any attempt': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > undo for another attempt',
    breakIt: (sound, { platform }) => ({
      async undo(intent, options) {
        if (intent.kind !== 'remove-kept-snapshot') return await sound.undo(intent, options)
        for (const { id: machine, kept } of await platform.machines.list(options))
          for (const { id, mark } of kept) if (mark?.run === intent.mark.run) await platform.machines.dropSnapshot(machine, id, options)
        return 'undone'
      },
    }),
  },
  'does not undo at all': {
    shape: 'ovirtLike',
    caughtBy: 'snapshots > one whose run was lost',
    breakIt: (sound) => ({
      undo: async (intent, options) => (intent.kind === 'remove-kept-snapshot' ? 'undone' : await sound.undo(intent, options)),
    }),
  },
  'lists the newest first': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > lists the oldest first',
    breakIt: changed((sound) => ({ list: async (...given) => [...(await sound.list(...given))].reverse() })),
  },
  'removes children too': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > removes one and no other',
    says: /another one, made after it, is gone too/,
    breakIt: changed((sound) => ({
      async remove(workload, snapshot, options) {
        const all = await sound.list(workload, options)
        const from = all.findIndex(({ id }) => id === snapshot)
        for (const { id } of from < 0 ? [] : all.slice(from)) await sound.remove(workload, id, options)
      },
    })),
  },
  'fails to remove what is gone': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > removes one and no other',
    breakIt: changed((_sound, { platform }) => ({ remove: (...given) => platform.machines.dropSnapshot(...given) })),
  },
  'goes back to nothing without a word': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > goes back',
    breakIt: changed((sound) => ({ revert: (...given) => sound.revert(...given).catch(() => undefined) })),
  },
  'makes a snapshot although it was aborted': {
    shape: 'esxiLike',
    caughtBy: 'snapshots > aborted before it starts',
    breakIt: changed((sound) => ({
      create: (workload, request, run) =>
        sound.create(workload, request, {
          ...run,
          signal: new AbortController().signal,
          intend: async () => ({ update: async () => {}, undo: async () => {}, keep() {} }),
        }),
    })),
  },
}

describe('the provider suite catches a provider that', () => {
  for (const [name, mistake] of Object.entries(broken)) it(name, () => mustBeCaught(mistake))
})

it('the provider suite asks nothing about snapshots of a provider that has none', async () => {
  const failures = await failuresOn({ shape: 'esxiLike', breakIt: () => ({ snapshots: undefined }) as unknown as Partial<Provider> })
  expect(failures).toEqual([])
})
