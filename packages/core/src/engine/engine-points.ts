import { isoTime, parseWorkloadKey, workloadKey } from '../model/names.ts'
import { pointSummary } from '../model/point-row.ts'
import type { CallOptions } from '../spec/blocks.ts'
import { HoldfastError } from '../spec/errors.ts'
import type { Flags } from '../spec/store.ts'
import type { WorkloadRef } from '../spec/workload.ts'
import { checkArgument, checkReason, parseTimeToCome } from './call-arguments.ts'
import type { Engine, PointChoice, PointFlags, PointInfo } from './engine.ts'
import type { EngineLife } from './life.ts'
import { type EngineParts, repositoryNamed } from './parts.ts'
import { type PointView, pointsOf } from './points/catalog-view.ts'
import { requireOwnership } from './points/ownership.ts'
import { changeFlags, type FlagPatch } from './points/point-flags.ts'

async function* viewsOf(parts: EngineParts, repository: string, options: CallOptions): AsyncGenerator<PointView, void, undefined> {
  repositoryNamed(parts, repository)
  for await (const workload of parts.store.points.workloads(repository, options)) {
    yield* pointsOf(await parts.store.points.catalog(repository, workload, options))
  }
}

/** What the engine says of points, and the flags that people set. */
export function pointCalls(
  parts: EngineParts,
  life: EngineLife,
  options: CallOptions,
): Pick<Engine, 'points' | 'pin' | 'unpin' | 'hold' | 'release' | 'liftQuarantine'> {
  const change = async (call: string, point: PointChoice, patch: () => FlagPatch) => {
    life.assertNotStopped()
    checkArgument('point', point, call)
    await changePointFlags(parts, point, patch(), options)
  }
  return {
    async points(filter) {
      life.assertNotStopped()
      checkArgument('points', filter, 'points')
      return await listPoints(parts, filter, options)
    },
    pin: (point, reason) =>
      change('pin', point, () => {
        checkReason(reason, 'pin')
        return { pin: reason }
      }),
    unpin: (point) => change('unpin', point, () => ({ pin: null })),
    hold: (point, until) => change('hold', point, () => ({ holdUntil: parseTimeToCome(until, 'until', 'hold', parts.clock.now()) })),
    release: (point) => change('release', point, () => ({ holdUntil: null })),
    liftQuarantine: (point) => change('liftQuarantine', point, () => ({ quarantine: null })),
  }
}

async function listPoints(
  parts: EngineParts,
  filter: { readonly repository: string; readonly workload?: WorkloadRef },
  options: CallOptions,
): Promise<readonly PointInfo[]> {
  const found: PointInfo[] = []
  const wanted = filter.workload && workloadKey(filter.workload)
  for await (const { current } of viewsOf(parts, filter.repository, options)) {
    if (wanted !== undefined && current.workload !== wanted) continue
    found.push({
      id: current.pointId,
      repository: current.repository,
      workload: parseWorkloadKey(current.workload),
      sequence: current.sequence,
      createdAt: isoTime(current.createdAt),
      parents: current.parents,
      flags: shownFlags(current.flags),
      summary: pointSummary(current),
    })
  }
  return found
}

function shownFlags({ holdUntil, verifiedAt, ...words }: Flags): PointFlags {
  return {
    ...words,
    ...(holdUntil !== undefined && { holdUntil: isoTime(holdUntil) }),
    ...(verifiedAt !== undefined && { verifiedAt: isoTime(verifiedAt) }),
  }
}

async function changePointFlags(parts: EngineParts, choice: PointChoice, patch: FlagPatch, options: CallOptions): Promise<void> {
  await requireOwnership(parts, choice.repository, options)
  for await (const workload of parts.store.points.workloads(choice.repository, options)) {
    const { points } = await parts.store.points.catalog(choice.repository, workload, options)
    const row = points.find((each) => each.pointId === choice.point)
    // The store refuses a point that is being deleted.
    if (row) return await changeFlags(parts, { repository: choice.repository, folder: row.folder }, patch, options)
  }
  throw new HoldfastError('NOT_FOUND', `There is no point ${choice.point} in repository "${choice.repository}".`, {
    remedy: 'List the points with engine.points({ repository }).',
  })
}
