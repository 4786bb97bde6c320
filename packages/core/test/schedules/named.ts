import { HoldfastError } from '@holdfast/core/spec'
import { losePower } from './simulate.ts'
import { type Steering, steer } from './steering.ts'

type Schedule = (trace?: (text: string) => void) => Promise<string | undefined>

const pointOf = (result: unknown): string => (result as { readonly point: string }).point
const lost = () => new HoldfastError('PROVIDER_FAILED', 'the request was lost', { retryable: true })

/** A backup whose manifest is on its way when its node dies; answers the point it builds on. */
async function lateManifest(steering: Steering): Promise<string> {
  const { world } = steering
  const node = await steering.node()
  const base = pointOf(await steering.run(node, steering.backup(0)))
  node.engine.run(steering.backup(2))
  const commit = await steering.until([node], /^put before .*manifest\.1\.json$/)
  world.repository.setFaults({ lateRequest: 1 })
  await steering.goOn(commit)
  world.repository.setFaults({ lateRequest: 0 })
  steering.kill(node)
  await steering.leasesEnd()
  return base
}

/** The next attempt has not decided the number yet; a prune wants the base; then the manifest arrives. */
const releaseLast: Schedule = async (trace) => {
  const steering = steer({ shapes: ['ovirtLike'] }, trace)
  const { world } = steering
  const pruner = await steering.node()
  const base = await lateManifest(steering)
  const second = await world.makeNode()
  second.engine.start().catch(() => undefined)
  await steering.until([second], /^put before .*manifest\.1\.json$/)
  await steering.run(pruner, { key: 'prune', operation: 'prune', repository: 'main', points: [base] })
  world.repository.deliverLate()
  return await steering.rest([second, pruner])
}

/** A prune is cancelled between condemning and deleting; a later one of another point finishes it. */
const wholeList: Schedule = async (trace) => {
  const steering = steer({ shapes: ['rawDisk'] }, trace)
  const first = await steering.node()
  await steering.run(first, steering.backup(0))
  const point = pointOf(await steering.run(first, steering.backup(1)))
  const prune = first.engine.run({ key: 'prune', operation: 'prune', repository: 'main', points: [point] })
  await steering.until([first], /^put before .*manifest\.1\.json$/)
  const { signal } = new AbortController()
  const run = await first.store.runs.get(prune.key, { signal })
  if (run) await first.store.runs.cancel(run.id, 'by hand', { signal })
  steering.kill(first)
  await steering.leasesEnd()
  return await steering.rest([])
}

/** Two attempts are about to deliver: the clean-up between them did not reach the platform. */
const platformName: Schedule = async (trace) => {
  const steering = steer({ shapes: ['rawDisk'] }, trace)
  const zombie = await steering.node()
  await steering.run(zombie, steering.backup(0))
  const [workload] = steering.world.workloads
  if (!workload) throw new Error('no workload')
  const { provider, id } = workload
  zombie.engine.run({ key: 'restore', operation: 'restore', workload: { provider, id }, name: 'again', purpose: 'recover' })
  const delivery = await steering.until([zombie], /^machines\.deliver before$/)
  await steering.leasesEnd()
  const second = await steering.world.makeNode()
  second.engine.start().catch(() => undefined)
  await steering.fail(await steering.until([second], /^machines\.removeMachineNamed before$/), lost())
  const removals = /^machines\.(removeMachineNamed|deliver) before$/
  for (;;) {
    const call = await steering.until([second], removals)
    if (call.label.startsWith('machines.deliver')) break
    await steering.fail(call, lost())
  }
  await steering.goOn(delivery)
  await steering.goOn(await steering.until([second], /^machines\.deliver before$/))
  return await steering.rest([zombie, second])
}

/** A rescan has read a point, and before it says so to the store a prune deletes it. */
const rescanCas: Schedule = async (trace) => {
  const steering = steer({ shapes: ['rawDisk'] }, trace)
  const reader = await steering.node()
  await steering.run(reader, steering.backup(0))
  const point = pointOf(await steering.run(reader, steering.backup(1)))
  const pruner = await steering.node()
  const rescan = reader.engine.run({ key: 'rescan', operation: 'rescan', repository: 'main' })
  const lastRead = new RegExp(`^read before .*${point}/manifest\\.1\\.json$`)
  // The first reading only tells whose folder it is.
  await steering.until([reader], /^open before .*pin\.json$/)
  await steering.goOn(await steering.until([reader], lastRead))
  await steering.run(pruner, { key: 'prune', operation: 'prune', repository: 'main', points: [point] })
  await steering.through(reader, rescan)
  return await steering.rest([reader, pruner])
}

/** A backup has committed and not said so; a rescan finds its point, and a prune is asked to delete it. */
const targetsStay: Schedule = async (trace) => {
  const steering = steer({ shapes: ['rawDisk'] }, trace)
  const writer = await steering.node()
  const other = await steering.node()
  const backup = writer.engine.run(steering.backup(0))
  await steering.until([writer], /^store runs\.finish before$/)
  await steering.run(other, { key: 'rescan', operation: 'rescan', repository: 'main' })
  const [made] = steering.world.ledger.current().values()
  await steering.run(other, { key: 'prune', operation: 'prune', repository: 'main', points: [made?.point ?? ''] })
  await steering.through(writer, backup)
  return await steering.rest([writer, other])
}

/** The answer to emptying a manifest is lost, so it is not durable; the next attempt deletes the files, and then the power fails. */
const syncDeletes: Schedule = async (trace) => {
  // With some of these seeds the power loss forgets the write that nobody made durable.
  for (let seed = 1; seed <= 5; seed++) {
    const violation = await emptiedThenDark(seed, trace)
    if (violation !== undefined) return violation
  }
  return undefined
}

async function emptiedThenDark(seed: number, trace: Parameters<Schedule>[0]): Promise<string | undefined> {
  const steering = steer({ shapes: ['rawDisk'] }, trace, seed)
  const { world } = steering
  const node = await steering.node()
  const point = pointOf(await steering.run(node, steering.backup(0)))
  node.engine.run({ key: 'prune', operation: 'prune', repository: 'main', points: [point] })
  const emptying = await steering.until([node], /^put before .*manifest\.1\.json$/)
  world.repository.setFaults({ lostAnswer: 1 })
  await steering.goOn(emptying)
  world.repository.setFaults({ lostAnswer: 0 })
  await steering.until([node], /^store points\.forget before$/)
  steering.kill(node)
  losePower(world)
  return await steering.rest([])
}

/** A frozen attempt stops a container after another one has settled it and finished the run. */
const reUndo: Schedule = async (trace) => {
  const steering = steer({ shapes: ['tarVolume'] }, trace)
  const zombie = await steering.node()
  zombie.engine.run(steering.backup(0))
  const stop = await steering.until([zombie], /^volumes\.stop before$/)
  await steering.leasesEnd()
  const second = await steering.node()
  await steering.run(second, steering.backup(0))
  await steering.goOn(stop)
  return await steering.rest([zombie, second])
}

/**
 * A point was merged, and somebody reads it while the point it had built on is deleted: so its old number outlives that. Then it is deleted itself, and the
 * prune dies between its two numbers.
 */
const oldestFirst: Schedule = async (trace) => {
  const steering = steer({ shapes: ['ovirtLike'] }, trace)
  const { world } = steering
  const [workload] = world.workloads
  if (!workload) throw new Error('no workload')
  const merger = await steering.node()
  const base = pointOf(await steering.run(merger, steering.backup(0)))
  const point = pointOf(await steering.run(merger, steering.backup(1)))
  merger.engine.run({ key: 'merge', operation: 'merge', repository: 'main', point })
  await steering.until([merger], /^store runs\.finish after$/)
  const { signal } = new AbortController()
  const after = await merger.store.runs.get('merge/prune', { signal })
  if (after) await merger.store.runs.cancel(after.id, 'by hand', { signal })
  steering.kill(merger)
  await steering.leasesEnd()
  const reader = await world.makeNode()
  reader.engine.start().catch(() => undefined)
  const { provider, id } = workload
  reader.engine.run({ key: 'restore', operation: 'restore', workload: { provider, id }, point, name: 'again', purpose: 'recover' })
  await steering.until([reader], new RegExp(`^open before .*${point}/2/`))
  const pruner = await steering.node()
  await steering.run(pruner, { key: 'prune-base', operation: 'prune', repository: 'main', points: [base] })
  steering.kill(reader)
  await steering.leasesEnd()
  pruner.engine.run({ key: 'prune', operation: 'prune', repository: 'main', points: [point] })
  await steering.until([pruner], new RegExp(`^put after .*${point}/manifest\\.[12]\\.json$`))
  steering.kill(pruner)
  await steering.leasesEnd()
  return await steering.rest([])
}

/** One disk of two is a full already: a merge names its file again, and the prune that follows deletes the old number. */
const namedStays: Schedule = async (trace) => {
  const steering = steer({ shapes: ['ovirtLike'], disks: 2 }, trace)
  const { world } = steering
  const node = await steering.node()
  await steering.run(node, steering.backup(0))
  world.platform.loseBitmaps(world.workloads[0]?.id ?? '')
  const point = pointOf(await steering.run(node, steering.backup(1)))
  await steering.run(node, { key: 'merge', operation: 'merge', repository: 'main', point })
  return await steering.rest([node])
}

/** Schedules built for what seeds reach too seldom, by the rule whose absence they show. */
export const named: { readonly [rule: string]: Schedule } = {
  'release-last': releaseLast,
  'whole-list': wholeList,
  'platform-name': platformName,
  'rescan-cas': rescanCas,
  'targets-stay': targetsStay,
  'sync-deletes': syncDeletes,
  're-undo': reUndo,
  'oldest-first': oldestFirst,
  'named-stays': namedStays,
}
