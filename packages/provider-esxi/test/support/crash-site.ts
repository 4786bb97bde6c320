import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '@holdfast/core'
import { type EsxiSimulator, type MachineOptions, type SimulatedMachine, seededRandom, startEsxiSimulator } from '@holdfast/testkit'
import { expect } from 'vitest'
import { bundleChild } from '../../../core/test/crash/bundle.ts'
import { checkFiles, same } from '../../../core/test/crash/invariants.ts'
import { harness } from '../../../core/test/crash/kill-points.ts'
import { runKey } from '../../../core/test/crash/world.ts'
import { catalogState, repositoryState } from '../../../core/test/crash/world-state.ts'
import { markLine, readMark } from '../../src/mark.ts'
import { addForeignSnapshot, contentsOf, machineNamed, snapshotsOf } from './changing-machine.ts'
import { until } from './export-host.ts'
import {
  type KilledCase,
  type KilledOperation,
  type KillWorld,
  killedCases,
  machineId,
  openKillEngine,
  replica,
  workload,
} from './kill-world.ts'
import { loginOf } from './simulated-connection.ts'

/** All points of a long run. */
export const longest = 6 * 3_600_000
/** A host ends a lease of which it hears nothing: later than the run is taken over, and later than a busy machine lets a process wait. Real ones wait for 300 s. */
const leaseSeconds = 3
const kibibyte = 1024

/** What the two disks hold at the two points that there are, and now. */
const moments = (() => {
  const random = seededRandom(8)
  const disks = [1024, 512].map((size) => {
    const disk = new Uint8Array(size * kibibyte)
    disk.set(random.bytes(256 * kibibyte), 128 * kibibyte)
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
/** The moment of the newest of the prepared points, and that of a child. */
const [lastPoint, now] = [1, 2]

/** A world with its host, which lives in this process and so outlives the child. */
export interface HostedWorld extends KillWorld {
  readonly host: EsxiSimulator
  /** Reference of the replica that was there first. */
  readonly firstReplica: string
}

const disksAt = (moment: number) => moments[moment]?.map((content) => ({ content })) ?? []

/** A replica of the first point, as an earlier run has left it. */
const replicaOf = (point: string): MachineOptions => ({
  ...replica,
  uuid: replica.id,
  disks: disksAt(0),
  conduct: { annotation: markLine({ purpose: 'replica', point, mark: { system: 'crash', plan: '', run: 'earlier', attempt: 1 } }) },
})

/** A host with the machine as it is at a moment, which holds a snapshot of somebody else, and with a replica of its first point, if that is there. */
async function startHost(moment: number, point?: string): Promise<EsxiSimulator> {
  const machine: MachineOptions = { name: 'web', uuid: machineId, powerState: 'poweredOn', disks: disksAt(moment) }
  const host = await startEsxiSimulator({ machines: [machine, ...(point === undefined ? [] : [replicaOf(point)])] })
  host.leases.settings.timeoutSeconds = leaseSeconds
  await addForeignSnapshot(host, machineNamed(host, 'web'))
  return host
}

/** What there is, wherever. */
async function stateOf({ folder, host }: HostedWorld) {
  return {
    repository: await repositoryState(join(folder, 'repository')),
    catalog: catalogState(folder),
    machines: host.machines().map(({ name, value }) => `${name} ${value}`),
    snapshots: snapshotsOf(machineNamed(host, 'web')),
  }
}
export type State = Awaited<ReturnType<typeof stateOf>>

/** Where processes are killed and frozen: a prepared world, and copies of it. */
export interface CrashSite extends AsyncDisposable {
  readonly script: string
  argumentsIn(world: HostedWorld, operation: KilledOperation): readonly string[]
  /** A world of its own, with a host of its own. */
  inWorld<Result>(work: (world: HostedWorld) => Promise<Result>): Promise<Result>
  points(operation: KilledOperation): Promise<readonly string[]>
  /** What must hold after a recovery, and after another one. */
  checkSettled(world: HostedWorld, operation: KilledOperation, recovered: State): Promise<void>
}

/** Two points, and a machine that has changed since. */
export async function openCrashSite(): Promise<CrashSite> {
  const base = await mkdtemp(join(tmpdir(), 'holdfast-esxi-crash-'))
  const script = await bundleChild(base, 'kill-child', import.meta.url)
  const template = join(base, 'template')
  await mkdir(template)
  const points: string[] = []
  for (const moment of [0, lastPoint]) {
    const host = await startHost(moment)
    const engine = await openKillEngine({ folder: template, login: loginOf(host) }, 'first')
    await engine.start()
    const { point } = (await engine.run({ key: `point ${moment}`, operation: 'backup', repository: 'main', workload })) as { point: string }
    points.push(point)
    await engine.idle()
    await engine.stop()
    await host[Symbol.asyncDispose]()
  }
  const prepared = await repositoryState(join(template, 'repository'))
  let count = 0
  const site: CrashSite = {
    script,
    argumentsIn: ({ folder, login }, operation) => [
      JSON.stringify({ folder, login } satisfies KillWorld),
      operation,
      join(base, 'compiled'),
    ],
    async inWorld(work) {
      const folder = join(base, `world-${++count}`)
      await cp(template, folder, { recursive: true, verbatimSymlinks: true })
      const host = await startHost(now, points[0])
      try {
        return await work({ folder, host, login: loginOf(host), firstReplica: machineNamed(host, replica.name).value })
      } finally {
        await host[Symbol.asyncDispose]()
        await rm(folder, { recursive: true, force: true })
      }
    },
    async points(operation) {
      const points = await site.inWorld((world) => harness.recordPoints(script, site.argumentsIn(world, operation)))
      for (const request of killedCases[operation].requests) expect(points).toContain(`host.${request}.before#1`)
      return points
    },
    checkSettled: (world, operation, recovered) => checkSettled(world, operation, recovered, prepared),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  }
  return site
}

/** What a recovery makes of a world. */
export async function recover(world: HostedWorld, node: string): Promise<State> {
  const engine = await openKillEngine(world, node)
  await engine.start()
  await settled(engine)
  await engine.stop()
  return stateOf(world)
}

/** Idle is also who waits until it is time to try a run again. */
async function settled(engine: Engine): Promise<void> {
  do await engine.idle()
  while ((await engine.getRun(runKey))?.state === 'queued')
}

/** Whether the run that is interrupted was asked for. */
export const wasAsked = ({ catalog }: State): boolean => (catalog.runs ?? []).some(({ key }) => key === runKey)

const purposeOf = ({ conduct }: SimulatedMachine) => readMark(conduct.annotation)?.purpose

/** The machine that an attempt has delivered. Between its final name and this mark it is still one of the attempt, and may be removed. */
export const deliveredIn = ({ host, firstReplica }: HostedWorld): string | undefined =>
  host.machines().find((one) => one.value !== firstReplica && ['machine', 'replica'].includes(purposeOf(one) ?? ''))?.value

/** What must hold at any moment: there is a replica that is whole. */
export function checkReplica({ host }: HostedWorld): void {
  const whole = host.machines().filter((one) => ['replica', 'replica-swap'].includes(purposeOf(one) ?? ''))
  expect(whole.length, 'replicas that are whole').toBeGreaterThanOrEqual(1)
}

async function checkSettled(
  world: HostedWorld,
  operation: KilledOperation,
  recovered: State,
  prepared: State['repository'],
): Promise<void> {
  const { host, folder } = world
  const asked = wasAsked(recovered)
  const expected: KilledCase = killedCases[operation]
  const made = asked ? expected.made : undefined
  const runs = recovered.catalog.runs ?? []
  expect(runs.map(({ state, lease_until, error_json }) => ({ state, lease_until, error_json }))).toEqual(
    runs.map(() => ({ state: 'succeeded', lease_until: null, error_json: null })),
  )
  expect({
    machines: host
      .machines()
      .map(({ name }) => name)
      .sort(),
    snapshots: recovered.snapshots,
  }).toEqual({
    machines: [...new Set(['web', replica.name, ...(made === undefined ? [] : [made])])].sort(),
    snapshots: ['of Ann: before the update'],
  })
  await until('no lease is open', () => host.leases.open.size === 0)
  await checkFiles(folder)
  const engine = await openKillEngine(world, 'last')
  try {
    await engine.start()
    await engine.idle()
    same(recovered, await stateOf(world), 'another recovery')
    const added = asked ? expected.points : 0
    expect(await engine.points({ repository: 'main' })).toHaveLength(lastPoint + 1 + added)
    // What is there byte for byte is read as it was before.
    const { repository } = recovered
    expect(added === 0 ? repository : { ...repository, ...prepared }, 'what the repository held').toEqual(
      added === 0 ? prepared : repository,
    )
    if (added > 0) await checkNewPoint(world, engine)
  } finally {
    await engine.stop()
  }
  if (made !== undefined) await checkDisks(host, made, lastPoint)
  await checkReplicaKept(world, made === replica.name)
}

/** The replica has the id that it had, and is off; one that nobody asked for is the first one still. */
async function checkReplicaKept({ host, firstReplica }: HostedWorld, isNew: boolean): Promise<void> {
  const { value, settings, powerState } = machineNamed(host, replica.name)
  expect([settings.instanceUuid, powerState]).toEqual([replica.id, 'poweredOff'])
  expect(value === firstReplica).toBe(!isNew)
  if (!isNew) await checkDisks(host, replica.name, 0)
}

/** The newest point restores to what the machine held. */
async function checkNewPoint({ host }: HostedWorld, engine: Engine): Promise<void> {
  expect((await engine.verify({ repository: 'main' })).findings).toEqual([])
  await engine.restore(workload, { name: 'check' })
  await checkDisks(host, 'check', now)
}

async function checkDisks(host: EsxiSimulator, name: string, moment: number): Promise<void> {
  const contents = await contentsOf(machineNamed(host, name))
  const differ = contents.map((bytes, index) => Buffer.compare(bytes, moments[moment]?.[index] ?? new Uint8Array()))
  expect(differ, name).toEqual([0, 0])
}
