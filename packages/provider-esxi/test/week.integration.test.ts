import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { createEngine, type Engine, localRepository } from '@holdfast/core'
import type { Scheduler } from '@holdfast/core/spec'
import {
  countingIds,
  type EsxiSimulator,
  type FakeClock,
  fakeClock,
  memoryStore,
  seededRandom,
  startEsxiSimulator,
} from '@holdfast/testkit'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithPeers } from '../../../scripts/peers/test-peers.ts'
import { esxi } from '../src/index.ts'
import { addForeignSnapshot, changeDisks, contentsOf, machineNamed, snapshotsOf } from './support/changing-machine.ts'
import { loginOf } from './support/simulated-connection.ts'

const run = promisify(execFile)
const [mebibyte, hour] = [1024 * 1024, 3_600_000]
const seed = Number(process.env.HOLDFAST_SEED ?? 6)
const uuid = '564d0000-0000-0000-0000-000000000001'
const workload = { provider: 'lab', id: uuid }
/** A Sunday. */
const start = Date.UTC(2026, 10, 22)
const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'second sunday'] as const
const keptPoints = 5
const changedClusters = 40

/** Days are gone through by the test. */
const noTimer: Scheduler = { specVersion: 1, async start() {}, async notify() {}, async stop() {}, async [Symbol.asyncDispose]() {} }

/** Time passes on the fake clock as fast as on a real one while something is waited for: transfers go over real connections. */
async function passing<Result>(clock: FakeClock, work: PromiseLike<Result>): Promise<Result> {
  let done = false
  const end = Promise.resolve(work).finally(() => {
    done = true
  })
  end.catch(() => undefined)
  while (!done) {
    await clock.advance(5)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return end
}

/** What an increment may take at most. */
const mostStored = (changed: number, disks: readonly Uint8Array[]): number =>
  changed * 1.01 + 65_536 * Math.ceil(disks.reduce((sum, { length }) => sum + length, 0) / (512 * mebibyte)) + mebibyte

describeWithPeers(['qemu-img'], 'a week of a machine of a simulated host', ({ 'qemu-img': qemu }) => {
  let folder = ''
  let clock: FakeClock
  let host: EsxiSimulator
  let second: EsxiSimulator
  let engine: Engine
  const random = seededRandom(seed)

  const filled = (mebibytes: number) => {
    const content = new Uint8Array(mebibytes * mebibyte)
    for (let at = 0; at < content.length; at += 4 * mebibyte) content.set(random.bytes(mebibyte), at)
    return { content }
  }

  beforeEach(async () => {
    clock = fakeClock({ start })
    folder = await mkdtemp(join(tmpdir(), 'holdfast-week-'))
    const web = { name: 'web', uuid, powerState: 'poweredOn', firmware: 'efi', disks: [filled(24), filled(12), filled(8)] } as const
    host = await startEsxiSimulator({ machines: [web] })
    second = await startEsxiSimulator()
    await addForeignSnapshot(host, machineNamed(host, 'web'))
    engine = await createEngine({
      name: 'test',
      system: 'test-system',
      clock,
      ids: countingIds('e'),
      scheduler: noTimer,
      store: memoryStore({ clock, ids: countingIds('s') }),
      repositories: { main: localRepository({ folder }) },
      providers: { lab: esxi(loginOf(host), { clock }), second: esxi(loginOf(second), { clock }) },
      plans: {
        daily: {
          kind: 'backup',
          repository: 'main',
          workloads: [workload],
          chain: { fullOn: { weekday: 'sunday' } },
          retention: { last: keptPoints, chains: 'merge' },
          schedule: { type: 'simple', every: 'day', at: '02:30' },
        },
      },
    })
  })
  afterEach(async () => {
    await passing(clock, engine.stop())
    await Promise.all([host[Symbol.asyncDispose](), second[Symbol.asyncDispose]()])
    await rm(folder, { recursive: true, force: true })
  })

  const points = async () => (await engine.points({ repository: 'main', workload })).toReversed()
  const files = async () =>
    (await readdir(folder, { recursive: true, withFileTypes: true }))
      .filter((each) => each.isFile())
      .map((each) => join(each.parentPath, each.name))

  /** One day: the guest works, the plan is due, and what follows the backup is done. Gives what the machine held, and the files of the new point. */
  async function liveADay(index: number) {
    const web = machineNamed(host, 'web')
    const before = new Set((await points()).map(({ id }) => id))
    const changed = index === 0 ? 0 : await changeDisks(web, changedClusters, random)
    const contents = await contentsOf(web)
    await clock.advance(index === 0 ? 3 * hour : 24 * hour)
    await passing(clock, engine.runDue())
    await passing(clock, engine.idle())
    const [made, ...others] = (await points()).filter(({ id }) => !before.has(id))
    if (made === undefined || others.length > 0) throw new Error(`day ${index} made ${others.length} points`)
    const own = (await files()).filter((file) => file.includes(`/${made.id}/`))
    const stored = (await Promise.all(own.map(async (file) => (await stat(file)).size))).reduce((sum, size) => sum + size, 0)
    return { made, changed, contents, own, stored }
  }

  /** A full is a package as other programs want it. */
  async function checkPackage(own: readonly string[]): Promise<void> {
    const list = own.find((file) => file.endsWith('.mf')) ?? ''
    const { stdout } = await run('sha256sum', ['--strict', '-c', list], { cwd: dirname(list) })
    const good = stdout
      .trim()
      .split('\n')
      .map((line) => line.replace(/: OK$/, ''))
    expect(good.toSorted()).toEqual(['web-disk-1.vmdk', 'web-disk-2.vmdk', 'web-disk-3.vmdk', 'web.nvram', 'web.ovf'])
    expect(await Promise.all(disksIn(own).map(chainOf))).toEqual([['vmdk'], ['vmdk'], ['vmdk']])
  }
  const disksIn = (own: readonly string[]) => own.filter((file) => /\.(vmdk|qcow2)$/.test(file))

  /** The format of a disk and of all below it, as another program finds them. */
  async function chainOf(file: string): Promise<readonly string[]> {
    const { stdout } = await run(qemu.path, ['info', '--backing-chain', '--output=json', file])
    return (JSON.parse(stdout) as { format: string }[]).map(({ format }) => format)
  }

  /** An increment has what has changed, over the VMDK that the host has packed. */
  async function checkIncrement(own: readonly string[], increments: number): Promise<void> {
    const chain = [...Array.from({ length: increments }, () => 'qcow2'), 'vmdk']
    expect(await Promise.all(disksIn(own).map(chainOf))).toEqual([chain, chain, chain])
  }

  async function checkRestore(point: string, contents: readonly Uint8Array[]): Promise<void> {
    await passing(clock, engine.restore(workload, { provider: 'second', point, name: `web-${point}` }))
    const restored = await contentsOf(machineNamed(second, `web-${point}`))
    expect(restored.map((bytes, index) => Buffer.compare(bytes, contents[index] ?? new Uint8Array()))).toEqual([0, 0, 0])
  }

  it(`is a full each Sunday, with increments that are small; what is kept restores byte for byte on another host (seed ${seed})`, {
    timeout: 600_000,
  }, async () => {
    await passing(clock, engine.runDue()) // from now on the plan is known
    const moments = new Map<string, readonly Uint8Array[]>()
    const foreign = snapshotsOf(machineNamed(host, 'web'))
    expect(foreign).toEqual(['of Ann: before the update'])
    const figures: string[] = []
    for (const [index, name] of days.entries()) {
      const { made, changed, contents, own, stored } = await liveADay(index)
      moments.set(made.id, contents)
      expect([snapshotsOf(machineNamed(host, 'web')), host.leases.open.size], name).toEqual([foreign, 0])
      const most = mostStored(changed, contents)
      figures.push(`${name}: ${stored} bytes stored${index % 7 === 0 ? '' : `, ${changed} changed, at most ${Math.floor(most)} allowed`}`)
      if (index % 7 === 0) await checkPackage(own)
      // The one who goes first is merged when the sixth is there, and with it the VMDK below the others.
      else if (index < keptPoints) await checkIncrement(own, index)
      if (index % 7 !== 0) expect(stored, name).toBeLessThanOrEqual(most)
    }
    console.info(figures.join('\n'))
    const kept = await points()
    expect(kept.map(({ id }) => id)).toEqual([...moments.keys()].slice(-keptPoints))
    expect(kept.map(({ summary }) => summary.disks?.map(({ form }) => form))).toEqual(
      ['full', 'incremental', 'incremental', 'incremental', 'full'].map((form) => [form, form, form]),
    )
    for (const { id } of kept) await checkRestore(id, moments.get(id) ?? [])
    expect((await passing(clock, engine.verify({ repository: 'main' }))).findings).toEqual([])
    await passing(clock, engine.stop())
    expect([snapshotsOf(machineNamed(host, 'web')), host.machines().length, second.machines().length]).toEqual([foreign, 1, keptPoints])
    expect([host, second].map((one) => [one.sessions(), one.leases.open.size])).toEqual([
      [0, 0],
      [0, 0],
    ])
  })
})
