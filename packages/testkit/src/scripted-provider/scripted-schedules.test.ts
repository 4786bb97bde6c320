import { codeOf, type RestoreSource } from '@holdfast/core/spec'
import { describe, expect, it } from 'vitest'
import { type CollectedItem, collectingSink } from '../collecting-sink.ts'
import { memoryRunContext } from '../memory-run-context.ts'
import { sourceFrom } from '../memory-source.ts'
import { seededRandom } from '../random.ts'
import { platformWithWorkload } from './provider-fixtures.ts'
import { providerShapes, scriptedProvider } from './scripted-provider.ts'

const signal = new AbortController().signal
const schedules = 60
const digestIn = (description: unknown) => (description as { digest: string }).digest

/** Undo until it works, as the engine's timer does, and sweep what a lost catalog knows nothing of. */
async function cleanUp(provider: ReturnType<typeof scriptedProvider>, undo: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    try {
      await undo()
      for await (const intent of provider.leftovers?.({ signal }) ?? []) await provider.undo(intent, { signal })
      return
    } catch (error) {
      if (codeOf(error) !== 'PROVIDER_FAILED' && codeOf(error) !== 'IN_USE') throw error
    }
  }
  throw new Error('undo never worked')
}

describe('scripted providers on a platform with faults', () => {
  for (const shape of providerShapes) {
    it(`${shape}: ${schedules} seeded schedules leave nothing, restore what was frozen, and deliver once`, async () => {
      let backups = 0
      let restores = 0
      for (let seed = 1; seed <= schedules; seed++) {
        const random = seededRandom(seed)
        const { platform, workload } = platformWithWorkload(shape, seed)
        const provider = scriptedProvider(platform, { shape })
        const faults = { requestLost: 0.02, answerLost: 0.02, late: 0.02, doubled: 0.05, broken: 0.002 }
        let stored: { source: RestoreSource; digest: string } | undefined
        for (let attempt = 1; attempt <= 4; attempt++) {
          platform.mutate(random)
          platform.setFaults(faults)
          const context = memoryRunContext({ provider, mark: { system: 's', plan: 'p', run: 'backup', attempt } })
          const collected = collectingSink()
          const result = await provider.backup({ workload, options: {} }, collected.sink, context.run).catch((error) => {
            expect(codeOf(error), `seed ${seed}: ${error}`).toBe('PROVIDER_FAILED')
            return undefined
          })
          platform.setFaults({})
          platform.arriveLate()
          await cleanUp(provider, () => context.undoOpen({ committed: result !== undefined }))
          expect(platform.leftovers(), `seed ${seed}, attempt ${attempt}`).toEqual([])
          if (!result) continue
          backups++
          const about = { id: workload, name: workload, kind: 'machine' } as const
          stored = { source: sourceFrom(collected.items, { workload: about, kind: shape, result }), digest: digestIn(result.description) }
        }
        if (!stored) continue
        const before = platform.digest(workload)
        let restored: string | undefined
        for (let attempt = 1; attempt <= 6 && restored === undefined; attempt++) {
          platform.setFaults(faults)
          const context = memoryRunContext({ provider, mark: { system: 's', plan: 'p', run: 'restore', attempt } })
          const asked = { purpose: 'recover', name: 'copy', start: false, options: {} } as const
          const result = await provider.restore(asked, stored.source, context.run).catch(() => undefined)
          platform.setFaults({})
          if (attempt % 2 === 0) platform.arriveLate()
          if (result) for (const intent of context.intents) expect(intent.kept || intent.kind === 'remove-helper', intent.kind).toBe(true)
          await cleanUp(provider, () => context.undoOpen({ committed: result !== undefined }))
          restored = result?.workload ?? (await provider.delivered?.({ system: 's', plan: 'p', run: 'restore' }, { signal }))?.workload
          platform.arriveLate()
          await cleanUp(provider, () => context.undoOpen({ committed: result !== undefined }))
        }
        expect(platform.leftovers(), `seed ${seed}, after the restore`).toEqual([])
        expect(platform.digest(workload), `seed ${seed}: the original changed`).toBe(before)
        if (restored === undefined) continue
        restores++
        expect(platform.digest(restored), `seed ${seed}: the copy`).toBe(stored.digest)
      }
      expect(backups).toBeGreaterThan(schedules)
      expect(restores).toBeGreaterThan(schedules / 2)
    })
  }
  it('ovirtLike: increments hold only what was written since, and a lost checkpoint or bitmap is BASE_LOST', async () => {
    const random = seededRandom(4)
    const { platform, workload } = platformWithWorkload('ovirtLike', 4)
    const provider = scriptedProvider(platform, { shape: 'ovirtLike' })
    let items: readonly CollectedItem[] = []
    let base: Parameters<typeof provider.backup>[0]['base']
    const backup = async () => {
      const context = memoryRunContext({ provider })
      const collected = collectingSink({ base: items })
      try {
        const result = await provider.backup({ workload, options: {}, ...(base && { base }) }, collected.sink, context.run)
        items = collected.items
        base = {
          checkpoint: result.checkpoint ?? null,
          disks: items.flatMap((item) => (item.disk ? [{ key: item.disk.key, size: item.disk.size }] : [])),
        }
        return digestIn(result.description)
      } finally {
        await context.undoOpen({ committed: true })
      }
    }
    const covers = () => items.map((item) => (item.type === 'disk' ? item.covers : item.format))
    await backup()
    expect(covers()).toEqual(['all', 'all', 'all'])
    for (let round = 0; round < 10; round++) {
      for (let count = 0; count < 4; count++) platform.mutate(random)
      expect(await backup()).toBe(platform.digest(workload))
      expect(covers()).toEqual(['changes', 'changes', 'changes'])
      for (const item of items)
        expect(Buffer.compare(item.bytes, platform.contents(workload)?.get(item.disk?.key ?? '') ?? new Uint8Array())).toBe(0)
    }
    await backup()
    expect(items.map((item) => (item.type === 'disk' ? item.dataBytes : -1))).toEqual([0, 0, 0])
    const checkpoint = base?.checkpoint
    platform.loseBitmaps(workload)
    await backup()
    expect(covers().toSorted(), 'a disk without bitmap is full, with a reason').toEqual(['all', 'changes', 'changes'])
    expect(items.find((item) => item.type === 'disk' && item.covers === 'all')).toMatchObject({ reason: 'no checkpoint of this disk' })
    platform.loseCheckpoints(workload)
    await expect(backup()).rejects.toMatchObject({ code: 'BASE_LOST' })
    expect(checkpoint).toBeDefined()
    expect(platform.leftovers()).toEqual([])
  })
})
