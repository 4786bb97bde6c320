import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EsxiSimulator, seededRandom, startEsxiSimulator } from '@holdfast/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleChild } from '../../core/test/crash/bundle.ts'
import { checkFiles, same } from '../../core/test/crash/invariants.ts'
import { chosenPoints, countsOf, harness, seed, tryAll } from '../../core/test/crash/kill-points.ts'
import { runKey } from '../../core/test/crash/world.ts'
import { catalogState, repositoryState } from '../../core/test/crash/world-state.ts'
import { readMark } from '../src/mark.ts'
import { addForeignSnapshot, contentsOf, machineNamed, snapshotsOf } from './support/changing-machine.ts'
import { until } from './support/export-host.ts'
import { type KilledOperation, type KillWorld, machineId, openKillEngine, restoredName, workload } from './support/kill-world.ts'
import { loginOf } from './support/simulated-connection.ts'

const sample = 6
/** All points of a long run. */
const longest = 6 * 3_600_000
/** A host ends a lease of which it hears nothing. Real ones wait for 300 s. */
const leaseSeconds = 2
const mebibyte = 1024 * 1024

/** What the two disks hold at the two points that there are, and now. */
const moments = (() => {
  const random = seededRandom(8)
  const disks = [2, 1].map((mebibytes) => {
    const disk = new Uint8Array(mebibytes * mebibyte)
    disk.set(random.bytes(mebibyte / 2), mebibyte / 4)
    return disk
  })
  return [0, 1, 2].map((moment) =>
    disks.map((disk) => {
      const content = Uint8Array.from(disk)
      content.set(random.bytes(65_536), moment * 131_072)
      return content
    }),
  )
})()

interface HostedWorld extends KillWorld {
  readonly host: EsxiSimulator
}

/** A host with the machine as it is at a moment, which holds a snapshot of somebody else. */
async function startHost(moment: number): Promise<EsxiSimulator> {
  const disks = moments[moment]?.map((content) => ({ content })) ?? []
  const host = await startEsxiSimulator({ machines: [{ name: 'web', uuid: machineId, powerState: 'poweredOn', disks }] })
  host.leases.settings.timeoutSeconds = leaseSeconds
  await addForeignSnapshot(host, machineNamed(host, 'web'))
  return host
}

const namesOf = (host: EsxiSimulator) => host.machines().map(({ name }) => name)
const foreign = ['of Ann: before the update']

/** What there is, wherever. */
async function stateOf({ folder, host }: HostedWorld) {
  return {
    repository: await repositoryState(join(folder, 'repository')),
    catalog: catalogState(folder),
    machines: namesOf(host),
    snapshots: snapshotsOf(machineNamed(host, 'web')),
  }
}

async function recover(world: HostedWorld, node: string) {
  const engine = await openKillEngine(world, node)
  await engine.start()
  await engine.idle()
  await engine.stop()
  return stateOf(world)
}

/** Every point verifies, and restores to what the machine held. */
async function checkPoints(world: HostedWorld, expected: number): Promise<void> {
  const engine = await openKillEngine(world, 'fourth')
  try {
    await engine.start()
    const points = (await engine.points({ repository: 'main' })).toReversed()
    expect(points).toHaveLength(expected)
    expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
    for (const [index, { id }] of points.entries()) {
      await engine.restore(workload, { point: id, name: `check-${index}` })
      await checkDisks(world.host, `check-${index}`, index)
    }
  } finally {
    await engine.stop()
  }
}

async function checkDisks(host: EsxiSimulator, name: string, moment: number): Promise<void> {
  const contents = await contentsOf(machineNamed(host, name))
  expect(
    contents.map((bytes, index) => Buffer.compare(bytes, moments[moment]?.[index] ?? new Uint8Array())),
    name,
  ).toEqual([0, 0])
}

/** What must hold after one recovery, wherever the process died. */
async function checkRecovered(world: HostedWorld, operation: KilledOperation): Promise<void> {
  const { host } = world
  // The process is gone, and so is what it knew of its session: the host ends that by itself, after half an hour without calls.
  const lost = host.sessions()
  expect(lost).toBeLessThanOrEqual(1)
  // Between its final name and this mark a machine is still one of the attempt, and may be removed.
  const delivered = host.machines().find(({ conduct }) => readMark(conduct.annotation)?.purpose === 'machine')?.value
  const recovered = await recover(world, 'second')
  const runs = recovered.catalog.runs ?? []
  const asked = runs.some((row) => row.key === runKey)
  expect(runs.map(({ state, lease_until }) => ({ state, lease_until }))).toEqual(
    runs.map(() => ({ state: 'succeeded', lease_until: null })),
  )
  expect({ machines: recovered.machines, snapshots: recovered.snapshots }).toEqual({
    machines: operation === 'restore' && asked ? ['web', restoredName] : ['web'],
    snapshots: foreign,
  })
  if (delivered !== undefined) expect(host.machine(restoredName)?.value, 'what was delivered').toBe(delivered)
  expect(host.sessions(), 'sessions of who recovers').toBe(lost)
  await until('no lease is open', () => host.leases.open.size === 0)
  await checkFiles(world.folder)
  same(recovered, await recover(world, 'third'), 'a second recovery')
  if (operation === 'restore' && asked) await checkDisks(host, restoredName, 1)
  await checkPoints(world, operation === 'backup' && asked ? 3 : 2)
  expect([host.sessions(), snapshotsOf(machineNamed(host, 'web'))]).toEqual([lost, foreign])
}

describe(`a process that is killed while it works on a simulated host (HOLDFAST_SEED=${seed})`, () => {
  let base = ''
  let script = ''
  let template = ''
  let count = 0

  /** Two points, and a machine that has changed since. */
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-esxi-kill-'))
    script = await bundleChild(base, 'support/kill-child', import.meta.url)
    template = join(base, 'template')
    await mkdir(template)
    for (const moment of [0, 1]) {
      const host = await startHost(moment)
      const engine = await openKillEngine({ folder: template, login: loginOf(host) }, 'first')
      await engine.start()
      await engine.run({ key: `point ${moment}`, operation: 'backup', repository: 'main', workload })
      await engine.idle()
      await engine.stop()
      await host[Symbol.asyncDispose]()
    }
  })
  afterAll(() => rm(base, { recursive: true, force: true }))

  async function inWorld<Result>(work: (world: HostedWorld) => Promise<Result>): Promise<Result> {
    const folder = join(base, `world-${++count}`)
    await cp(template, folder, { recursive: true, verbatimSymlinks: true })
    const host = await startHost(2)
    try {
      return await work({ folder, host, login: loginOf(host) })
    } finally {
      await host[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    }
  }
  const argumentsIn = ({ folder, login }: HostedWorld, operation: KilledOperation) => [
    JSON.stringify({ folder, login } satisfies KillWorld),
    operation,
    join(base, 'compiled'),
  ]

  for (const operation of ['backup', 'restore'] as const)
    it(`${operation}: one recovery leaves no snapshot, lease or half a machine, wherever it died`, { timeout: longest }, async () => {
      const points = await inWorld((world) => harness.recordPoints(script, argumentsIn(world, operation)))
      const chosen = chosenPoints(points, sample)
      let reached = 0
      const failures = await tryAll(chosen, (point) =>
        inWorld(async (world) => {
          const { signal, output } = await harness.runKilledAt(script, argumentsIn(world, operation), point)
          expect(output).toBe('')
          if (signal === 'SIGKILL') reached += 1
          await checkRecovered(world, operation)
        }),
      )
      process.stdout.write(`killed in ${operation} on a simulated host: ${countsOf(points)}; tried ${chosen.length}, reached ${reached}\n`)
      expect(failures).toEqual([])
      expect(reached).toBeGreaterThan(chosen.length * 0.8)
    })
})
