import { codeOf } from '@holdfast/core/spec'
import type { RunOrder } from '../../src/engine/engine.ts'
import { repositoryFileName } from '../../src/model/names.ts'
import { decodeRepositoryFile } from '../../src/model/repository-file.ts'
import { type StoreView, stateOf } from './ledger.ts'
import { chainOf, type Node, optionsOf, type Site, sitesOf, type WorkloadOfWorld, type World } from './world.ts'

export const keyCount = 5
const mostUnfinished = 12

/** What the people of one schedule have asked for. */
export interface Orders {
  /** Run keys whose run need not succeed: cancelled, or lost with a database. */
  readonly exempt: Set<string>
  readonly restores: Map<string, RunOrder>
  count: number
}

export function workloadOf(world: World, index: number): WorkloadOfWorld {
  const workload = world.workloads[index % world.workloads.length]
  if (!workload) throw new Error('a world without workloads')
  return workload
}

export function backupOrder(world: World, index: number): RunOrder {
  const { provider, id } = workloadOf(world, index)
  const options = optionsOf(world, workloadOf(world, index))
  return {
    key: `due${index}`,
    operation: 'backup',
    repository: 'main',
    workload: { provider, id },
    compression: 'none',
    options,
    ...chainOf(workloadOf(world, index)),
  }
}

/** Asks and does not wait: the run is the store's from now on. */
function ask(node: Node, order: RunOrder): void {
  node.engine.run(order)
}

/** One thing that a person or a timer asks of one node. */
export function act(world: World, node: Node, orders: Orders): void {
  const { random } = world
  const chance = random.next()
  const full = unfinished(stateOf(node.store)) >= mostUnfinished
  if (world.rewrites && !full && world.ledger.current().size > 1 && random.chance(0.6)) rewrite(world, node, orders)
  else if (chance < 0.32) ask(node, backupOrder(world, random.below(keyCount)))
  else if (full) return
  else if (chance < 0.39) pin(world, node)
  else if (chance < 0.57) prune(world, node, orders)
  else if (chance < 0.65) merge(world, node, orders)
  else if (world.offsite && chance < 0.73) copy(world, node, orders, world.offsite)
  else if (chance < 0.76)
    ask(node, { key: `verify${orders.count++}`, operation: 'verify', repository: 'main', mode: random.pick(['quick', 'full']) })
  else if (chance < 0.88) restore(world, node, orders)
  else if (chance < 0.96) ask(node, { key: `rescan${orders.count++}`, operation: 'rescan', repository: 'main' })
  else cancel(world, node, orders)
}

function rewrite(world: World, node: Node, orders: Orders): void {
  const chance = world.random.next()
  if (chance < 0.25) prune(world, node, orders)
  else if (world.offsite && chance < 0.6) copy(world, node, orders, world.offsite)
  else merge(world, node, orders)
}

function unfinished({ runs }: StoreView): number {
  let count = 0
  for (const run of runs.values()) if (run.state === 'queued' || run.state === 'running') count++
  return count
}

function pin(world: World, node: Node): void {
  const folders = [...world.ledger.current().keys()]
  if (folders.length === 0) return
  const folder = world.random.pick(folders)
  const { store } = world
  world.say(`${node.name} pins ${folder}`)
  node.engine.pin({ repository: 'main', point: folder.slice(folder.indexOf('/') + 1) }, 'audit').then(
    () => {
      if (world.store !== store) return
      world.ledger.pinned.add(folder)
      world.coverage.add('pin acknowledged')
      world.say(`pinned ${folder}`)
      world.ledger.inspect()
    },
    () => undefined,
  )
}

/** A point, with what builds on it or without: then it may be refused. */
function prune(world: World, node: Node, orders: Orders, { name, ledger }: Site = world.random.pick(sitesOf(world))): void {
  const current = [...ledger.current().values()]
  if (current.length < 2) return
  const chosen = new Set([world.random.pick(current).point])
  if (world.random.chance(0.8)) {
    for (let size = 0; size !== chosen.size; ) {
      size = chosen.size
      for (const { point, parents } of current) if (Object.values(parents).some((parent) => chosen.has(parent))) chosen.add(point)
    }
  }
  ask(node, { key: `prune${orders.count++}`, operation: 'prune', repository: name, points: [...chosen] })
}

/** Everything that is new of a workload, or one point alone. */
function copy(world: World, node: Node, orders: Orders, { name }: Site): void {
  const { provider, id } = world.random.pick(world.workloads)
  const ofWorkload = [...world.ledger.current().values()].filter(({ workload }) => workload.provider === provider && workload.id === id)
  if (ofWorkload.length === 0) return
  const alone = world.random.chance(0.3) && { points: [world.random.pick(ofWorkload).point] }
  ask(node, { key: `copy${orders.count++}`, operation: 'copy', from: 'main', repository: name, workload: { provider, id }, ...alone })
}

/** A point that builds on others takes over all of them, or some. */
function merge(world: World, node: Node, orders: Orders): void {
  const current = [...world.ledger.current().values()]
  const built = current.filter(({ parents }) => Object.keys(parents).length > 0)
  if (built.length === 0) return
  const absorb = current.filter(() => world.random.chance(0.6)).map(({ point }) => point)
  ask(node, {
    key: `merge${orders.count++}`,
    operation: 'merge',
    repository: 'main',
    point: world.random.pick(built).point,
    ...(absorb.length > 0 && world.random.chance(0.5) && { absorb }),
  })
}

function restore(world: World, node: Node, orders: Orders): void {
  const { name: repository, ledger } = world.random.pick(sitesOf(world))
  const current = [...ledger.current().values()]
  if (current.length === 0) return
  const { workload, point } = world.random.pick(current)
  const key = `restore${orders.count++}`
  const order: RunOrder = {
    key,
    operation: 'restore',
    repository,
    workload: { provider: workload.provider, id: workload.id },
    point: world.random.chance(0.5) ? 'latest' : point,
    name: key,
    purpose: world.random.pick(['recover', 'recover', 'test']),
  }
  orders.restores.set(key, order)
  ask(node, order)
}

function cancel(world: World, node: Node, orders: Orders): void {
  const waiting = [...stateOf(node.store).runs.values()].filter((run) => run.state === 'queued' || run.state === 'running')
  if (waiting.length === 0) return
  const { key } = world.random.pick(waiting)
  orders.exempt.add(key)
  const order = [...stateOf(node.store).runs.values()].find((run) => run.key === key)
  if (!order) return
  world.say(`${node.name} cancels ${key}`)
  node.store.runs.cancel(order.id, 'schedule', { signal: new AbortController().signal }).catch(() => undefined)
}

/** Another engine with another database on the same repository: it may read, and nothing else. */
export async function foreignActs(world: World, node: Node, orders: Orders): Promise<void> {
  const current = [...world.ledger.current().values()]
  ask(node, { key: `rescan${orders.count++}`, operation: 'rescan', repository: 'main' })
  if (current.length > 0)
    ask(node, { key: `prune${orders.count++}`, operation: 'prune', repository: 'main', points: [world.random.pick(current).point] })
  ask(node, { ...backupOrder(world, 0), key: `foreign${orders.count++}`, options: {} })
  world.coverage.add('foreign engine')
}

/** Who owns the repository, and its epoch. */
export function ownerOf(
  world: World,
  { repository }: Pick<Site, 'repository'> = world,
): { readonly owner: string; readonly epoch: number } | undefined {
  const bytes = repository.snapshot().get(repositoryFileName)
  if (!bytes) return undefined
  try {
    return decodeRepositoryFile(bytes)
  } catch (error) {
    world.violate(`repository.json: ${codeOf(error)}`)
    return undefined
  }
}

/** A repository that another database owns. */
export function foreignSite(world: World): { readonly name: string; readonly owner: string } | undefined {
  for (const site of sitesOf(world)) {
    const owner = ownerOf(world, site)?.owner
    if (owner !== undefined && owner !== stateOf(world.store).storeId) return { name: site.name, owner }
  }
  return undefined
}
