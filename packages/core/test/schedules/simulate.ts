import { act, foreignActs, foreignSite, type Orders, ownerOf } from './actions.ts'
import { stateOf } from './ledger.ts'
import { comeToRest } from './rest.ts'
import { disturbTime } from './timed.ts'
import { quiet } from './traffic.ts'
import { busy, calm, createWorld, graceMs, leaseMs, type Node, sitesOf, storm, type World } from './world.ts'

export interface Outcome {
  readonly seed: number
  readonly violation: string | undefined
  /** What happened in this schedule. */
  readonly coverage: ReadonlySet<string>
  readonly steps: number
}

/** What cannot come back from a disaster is not asked for afterwards. */
type Disaster = 'none' | 'lost' | 'rolled back'

interface Game {
  readonly world: World
  readonly orders: Orders
  readonly slots: (Node | undefined)[]
  readonly starting: Set<Node>
  readonly disaster: Disaster
  happened: boolean
  powerLosses: number
  foreign: Node | undefined
  copy: ReturnType<World['store']['dump']> | undefined
  trouble: number
}

/** One schedule: the same seed is the same schedule, call for call. */
export async function simulate(
  seed: number,
  options: { readonly trace?: (text: string) => void; readonly steps?: number } = {},
): Promise<Outcome> {
  const world = createWorld(seed, options.trace)
  const game: Game = {
    world,
    orders: { exempt: new Set(), restores: new Map(), count: 0 },
    slots: [undefined, undefined, undefined],
    starting: new Set(),
    disaster: world.random.pick(['none', 'none', 'lost', 'rolled back'] as const),
    happened: false,
    powerLosses: 0,
    foreign: undefined,
    copy: undefined,
    trouble: 0,
  }
  // A stopped container carries no mark: when the only note of it goes with the database, nobody can know.
  if (game.disaster !== 'none') world.backupOptions = { stop: false }
  const steps = options.steps ?? world.random.pick(world.rewrites ? [600, 1000] : [150, 300, 300, 500])
  try {
    for (world.traffic.step = 1; world.traffic.step <= steps && world.violation === undefined; world.traffic.step++) await step(game)
    if (world.violation === undefined) await comeToRest(world, game.orders, () => everythingDies(game), game.happened)
  } catch (error) {
    if (world.violation === undefined) throw new Error(`seed ${seed}: the schedule itself failed`, { cause: error })
  }
  everythingDies(game)
  return { seed, violation: world.violation, coverage: world.coverage, steps: world.traffic.step }
}

async function step(game: Game): Promise<void> {
  const { world } = game
  const { random, traffic } = world
  if (!disturbTime(world, game.slots) && !(await disturb(game))) {
    if (random.chance(0.07)) await wakeSlot(game)
    else letGoOn(game)
  }
  await quiet()
  traffic.pass(1 + random.below(20))
  deliverOverdue(world)
  await quiet()
}

/** At most so much time passes at once. */
const longestPassMs = 15 * 60_000

/** No request is on its way for longer than the grace time: that is what the time is for. */
export function deliverOverdue(world: World): void {
  for (const { repository, ledger } of sitesOf(world)) {
    if (repository.lateMs < graceMs - longestPassMs) continue
    while (repository.lateMs >= graceMs - longestPassMs) repository.deliverLate(1)
    ledger.inspect()
  }
}

/** A call goes on, or fails; when nobody waits, time passes. */
function letGoOn({ world }: Game): void {
  const { random, traffic } = world
  const ready = traffic.waiting.filter(({ process }) => !traffic.frozen(process))
  if (ready.length === 0) {
    const next = traffic.untilNext()
    if (next !== undefined) traffic.pass(next)
    return
  }
  const call = random.pick(ready)
  traffic.take(call)
  if (call.label.startsWith('store') && random.chance(0.004)) {
    world.coverage.add(call.label.endsWith('after') ? 'answer of the store lost' : 'store busy')
    world.say(`${call.process.name} ${call.label} FAILS`)
    call.process.failures++
    call.fail(busy(call.label))
  } else call.goOn()
}

/** A slot without a node gets one; a node that has started is asked for something. */
async function wakeSlot(game: Game): Promise<void> {
  const { world, slots, orders } = game
  const index = world.random.below(slots.length)
  const node = slots[index]
  if (!node) slots[index] = await startNode(game)
  else if (node.started && !world.traffic.frozen(node)) act(world, node, orders)
}

async function startNode(game: Game, options?: Parameters<World['makeNode']>[0]): Promise<Node> {
  const { world } = game
  const node = await world.makeNode(options)
  world.say(`${node.name} starts`)
  const gone = () => {
    world.say(`${node.name} could not start`)
    kill(game, node)
  }
  node.engine.start().then(() => {
    node.started = true
    if (node.store === world.store && foreignSite(world)) takeOver(game, node)
  }, gone)
  return node
}

/** The person who has lost the database reads the message and does what it says. */
function takeOver(game: Game, node: Node): void {
  const { world, orders } = game
  const site = foreignSite(world)
  if (!site || node.dead) return
  node.started = false
  const order = { key: `takeover${orders.count++}`, operation: 'rescan' as const, repository: site.name, takeOver: site.owner }
  node.engine.run(order).then(
    () => {
      node.started = true
      world.coverage.add('taken over')
      takeOver(game, node)
    },
    () => takeOver(game, node),
  )
}

function kill(game: Game, node: Node | undefined): void {
  if (!node) return
  game.world.traffic.kill(node)
  const index = game.slots.indexOf(node)
  if (index >= 0) game.slots[index] = undefined
  if (game.foreign === node) game.foreign = undefined
}

function everythingDies(game: Game): void {
  for (const node of [...game.slots, game.foreign]) kill(game, node)
}

/** True if something out of the ordinary happened in this step. */
async function disturb(game: Game): Promise<boolean> {
  const { world, slots } = game
  const { random, traffic, platform } = world
  const chance = random.next()
  const slot = random.below(slots.length)
  if (chance < 0.006) {
    world.say(`KILL ${slots[slot]?.name}`)
    kill(game, slots[slot])
  } else if (chance < 0.012) freeze(world, slots[slot], random.pick([20, 60, 200, 400]))
  else if (chance < 0.017) {
    world.say('TIME: leases end')
    traffic.pass(leaseMs + 1)
  } else if (chance < 0.0185 && game.powerLosses < 2) powerLoss(game)
  else if (chance < 0.03) for (const { repository } of sitesOf(world)) repository.writeBack()
  else if (chance < 0.045) lateRequests(world)
  else if (chance < 0.047) {
    world.say('late requests arrive on the platform')
    platform.arriveLate()
  } else if (chance < 0.06) platform.mutate(random)
  else if (chance < 0.063) trouble(game)
  else if (chance < 0.066) game.copy = keepCopy(game)
  else if (chance < 0.074) return await databaseDisaster(game)
  else if (chance < 0.076) await foreign(game)
  else {
    if (game.trouble > 0 && --game.trouble === 0) endTrouble(world)
    return false
  }
  return true
}

function freeze(world: World, node: Node | undefined, steps: number): void {
  if (!node) return
  world.say(`FREEZE ${node.name} for ${steps}`)
  node.frozenUntil = world.traffic.step + steps
  world.coverage.add('frozen')
}

function lateRequests(world: World): void {
  const site = world.random.pick(sitesOf(world))
  if (site.repository.late === 0) return
  const took = site.repository.deliverLate(1)
  world.say(`a late request arrives: ${took === 1 ? 'it takes effect' : 'refused'}`)
  world.coverage.add(took === 1 ? 'late put arrives' : 'late put refused')
  site.ledger.inspect()
}

export function losePower(world: World): void {
  const unsynced = sitesOf(world).some(({ repository }) => {
    const durable = repository.durable()
    const visible = repository.snapshot()
    return durable.size !== visible.size || [...visible].some(([path, bytes]) => durable.get(path) !== bytes)
  })
  if (unsynced) world.coverage.add('power loss with unsynced writes')
  world.say(`POWER LOSS${unsynced ? ' with unsynced writes' : ''}`)
  for (const { repository, ledger } of sitesOf(world)) {
    repository.powerLoss()
    ledger.inspect()
  }
}

function powerLoss(game: Game): void {
  game.powerLosses++
  everythingDies(game)
  losePower(game.world)
}

/** The disk is full, or not mounted, for a while. */
function trouble(game: Game): void {
  const { world } = game
  const { disk, random } = world
  game.trouble = 10 + random.below(80)
  if (random.chance(0.5)) disk.mounted = false
  else disk.full = true
  world.say(disk.mounted ? 'DISK FULL' : 'NOT MOUNTED')
  world.coverage.add(disk.mounted ? 'disk full' : 'not mounted')
}

function endTrouble(world: World): void {
  world.say('the disk is well again')
  world.disk.mounted = true
  world.disk.full = false
}

function keepCopy({ world }: Game): Game['copy'] {
  world.say('a copy of the database is kept')
  world.timed?.claims.copied(stateOf(world.store))
  return world.store.dump()
}

async function databaseDisaster(game: Game): Promise<boolean> {
  const { world, disaster, copy } = game
  if (disaster === 'none' || game.happened || world.traffic.step < 80) return false
  if (disaster === 'rolled back' && !(copy && detectable(world, copy))) return false
  game.happened = true
  everythingDies(game)
  for (const { repository } of sitesOf(world)) repository.deliverLate()
  world.platform.arriveLate()
  world.say(`DATABASE ${disaster}`)
  world.coverage.add(`database ${disaster}`)
  world.timed?.claims.forget({ empty: disaster === 'lost' })
  for (const run of stateOf(world.store).runs.values()) {
    const final = run.state !== 'queued' && run.state !== 'running'
    if (!final || disaster === 'rolled back') game.orders.exempt.add(run.key)
  }
  if (disaster === 'lost') world.store = world.makeStore()
  else if (copy) {
    world.store.load(copy)
    await firstStart(game)
  }
  world.ledger.inspect()
  return true
}

/** A start that is cut off may hide from the next one that the database is older, so nothing disturbs this one. */
async function firstStart(game: Game): Promise<void> {
  const { world, slots } = game
  const { mounted, full } = world.disk
  Object.assign(world.disk, { mounted: true, full: false })
  calm(world)
  const node = await startNode(game)
  slots[0] = node
  for (let tried = 0; !node.started && tried < 2_000; tried++) {
    await quiet()
    const next = world.traffic.untilNext()
    if (!node.started && next !== undefined) world.traffic.pass(next)
  }
  if (!node.started) world.violate('a start after a rollback does not end')
  storm(world)
  Object.assign(world.disk, { mounted, full })
}

/** Only a start after the copy was made can prove that the database is older: it leaves a higher epoch in the repository. */
function detectable(world: World, copy: NonNullable<Game['copy']>): boolean {
  const { epoch } = copy.state as { readonly epoch: number }
  return (ownerOf(world)?.epoch ?? 0) > epoch
}

async function foreign(game: Game): Promise<void> {
  const { world } = game
  if (game.foreign || !ownerOf(world)) return
  const node = await startNode(game, { store: world.makeStore(), name: 'foreign' })
  game.foreign = node
  await foreignActs(world, node, game.orders)
}
