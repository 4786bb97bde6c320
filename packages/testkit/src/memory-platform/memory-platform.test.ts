import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fakeClock } from '../fake-clock.ts'
import { seededRandom } from '../random.ts'
import { memoryPlatform } from './memory-platform.ts'

const options = { signal: new AbortController().signal }
const mark = { system: 's', plan: 'p', run: 'r', attempt: 1 }

describe('memoryPlatform', () => {
  it('is a function of its seed', () => {
    const build = (seed: number) => {
      const platform = memoryPlatform({ random: seededRandom(seed) })
      platform.addVolume('v')
      platform.addMachine('m', 3)
      const random = seededRandom(seed)
      for (let count = 0; count < 20; count++) platform.mutate(random)
      return platform.things()
    }
    expect(build(1)).toEqual(build(1))
    expect(build(1)).not.toEqual(build(2))
  })
  it('loses requests and answers, lets requests arrive late and twice, and tells the caller of a failure alike', async () => {
    const create = (platform: ReturnType<typeof memoryPlatform>) => platform.volumes.create({ name: 'new', role: 'new', mark }, options)
    const there = (platform: ReturnType<typeof memoryPlatform>) => platform.things().length
    const lost = memoryPlatform({ faults: { requestLost: 1 } })
    await expect(create(lost)).rejects.toMatchObject({ code: 'PROVIDER_FAILED', retryable: true })
    expect(there(lost)).toBe(0)
    const unanswered = memoryPlatform({ faults: { answerLost: 1 } })
    await expect(create(unanswered)).rejects.toMatchObject({ code: 'PROVIDER_FAILED', retryable: true })
    expect(there(unanswered)).toBe(1)
    const late = memoryPlatform({ faults: { late: 1 } })
    await expect(create(late)).rejects.toMatchObject({ code: 'PROVIDER_FAILED', retryable: true })
    expect(there(late)).toBe(0)
    late.arriveLate()
    expect(there(late)).toBe(1)
    const doubled = memoryPlatform({ faults: { doubled: 1 } })
    await create(doubled)
    doubled.setFaults({})
    await doubled.volumes.remove('new', options)
    doubled.arriveLate()
    expect(there(doubled)).toBe(1)
  })
  it('breaks and cuts streams', async () => {
    const read = async (faults: object, provable: boolean) => {
      let bytes = 0
      for await (const chunk of memoryPlatform({ faults }).stream(new Uint8Array(30_000), provable, options)) bytes += chunk.length
      return bytes
    }
    expect(await read({}, true)).toBe(30_000)
    expect(await read({ cut: 1 }, true)).toBe(0)
    expect(await read({ cut: 1 }, false)).toBe(30_000)
    await expect(read({ broken: 1 }, true)).rejects.toMatchObject({ code: 'PROVIDER_FAILED' })
  })
  it('awaits the turn before and after each request, takes its time on the clock, and stops for an abort', async () => {
    const turns: string[] = []
    const clock = fakeClock()
    const turn = async (label: string, phase: string) => void turns.push(`${label} ${phase}`)
    const platform = memoryPlatform({ clock, latencyMs: 100, turn })
    await clock.runUntil(platform.volumes.list(options))
    expect([turns, clock.monotonic()]).toEqual([['volumes.list before', 'volumes.list after'], 100])
    const controller = new AbortController()
    const waiting = platform.volumes.list(controller)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
  it('is kept in a file and shared by two instances', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-platform-'))
    try {
      const file = join(folder, 'platform')
      const one = memoryPlatform({ file })
      const workload = one.addMachine('m', 2)
      one.addVolume('v')
      const other = memoryPlatform({ file })
      expect(other.things()).toEqual(one.things())
      other.mutate(seededRandom(3))
      await other.machines.createSnapshot(workload, 'snap', mark, options)
      expect(one.leftovers()).toEqual(['snapshot snap of machine m'])
      expect([one.digest(workload), one.digest('v')]).toEqual([other.digest(workload), other.digest('v')])
      expect(new Set([one.ids.next(), other.ids.next(), one.ids.next()]).size).toBe(3)
      expect(await readdir(folder)).toEqual(['platform'])
    } finally {
      await rm(folder, { recursive: true })
    }
  })
  it('says what is left over: stopped containers, helpers, snapshots, unfinished machines and disks', async () => {
    const platform = memoryPlatform()
    platform.addVolume('v')
    const workload = platform.addMachine('m')
    expect(platform.leftovers()).toEqual([])
    await platform.volumes.stop('v-writer', options)
    await platform.volumes.createHelper('h', ['v'], mark, options)
    await platform.machines.createSnapshot(workload, 'snap', mark, options)
    await platform.machines.createDisk('d', { key: 'k', name: 'n', size: 65536 }, mark, options)
    expect(platform.leftovers()).toEqual([
      'stopped container v-writer',
      'helper container h of s/p/r.1',
      'snapshot snap of machine m',
      'disk d',
    ])
  })
})
