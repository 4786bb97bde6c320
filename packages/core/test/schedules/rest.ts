import type { Run } from '@holdfast/core/spec'
import type { Engine } from '../../src/engine/engine.ts'
import { manifestPath, runHash } from '../../src/model/names.ts'
import { backupOrder, foreignSite, keyCount, type Orders } from './actions.ts'
import { parsedPath, stateOf } from './ledger.ts'
import { deliverOverdue, losePower } from './simulate.ts'
import { isUpToDate, type Timed } from './timed.ts'
import { quiet } from './traffic.ts'
import { calm, graceMs, type Node, type Site, sitesOf, type World } from './world.ts'

const longestCalmMs = 6 * 3_600_000

/** Everything dies once more; one fresh engine must bring the world to rest. */
export async function comeToRest(world: World, orders: Orders, everythingDies: () => void, afterDisaster: boolean): Promise<void> {
  const { traffic, platform } = world
  everythingDies()
  if (world.random.chance(0.5)) losePower(world)
  calm(world)
  world.disk.mounted = true
  world.disk.full = false
  world.say('CALM')
  const node = await world.makeNode()
  const { engine } = node
  await finish(world, engine.start(), 'start')
  for (let site = foreignSite(world); site && world.violation === undefined; site = foreignSite(world))
    await finish(world, engine.rescan({ repository: site.name, takeOver: site.owner }), 'take over')
  for (let index = 0; index < keyCount; index++) engine.run(backupOrder(world, index)).then(undefined, () => undefined)
  await finish(world, engine.idle(), 'idle')
  // Before hours pass: no request is on its way for longer than the grace time.
  for (const { repository } of sitesOf(world)) repository.deliverLate()
  platform.arriveLate()
  if (world.timed) await dueRest(world, node)
  for (const { ledger } of sitesOf(world)) ledger.inspect()
  await pruneOne(world, node)
  // What a cancelled prune has condemned waits for the next one.
  const prune = { operation: 'prune', retention: true, replaced: true } as const
  for (const { name } of sitesOf(world)) await finish(world, engine.run({ ...prune, key: `last/${name}`, repository: name }), 'deleting')
  for (const { name } of sitesOf(world)) await finish(world, engine.rescan({ repository: name }), 'rescan')
  // More than once, because what waited for another try may delete something only now.
  for (let round = 0; round < 2 || (round < 4 && sitesOf(world).some(hasDeadNumbers)); round++) {
    traffic.pass(2 * graceMs + 1)
    await quiet()
    await finish(world, engine.recover(), 'recover')
    await finish(world, engine.idle(), 'idle')
  }
  for (const { ledger } of sitesOf(world)) ledger.inspect()
  if (world.timed) await toldRest(world, world.timed)
  if (world.violation === undefined) restCheck(world, orders, afterDisaster)
  for (const site of sitesOf(world)) if (world.violation === undefined) await prove(world, node, site)
}

const hasDeadNumbers = ({ repository }: Site): boolean =>
  [...repository.snapshot()].some(([path, bytes]) => bytes.length === 0 && parsedPath(path).kind === 'manifest')

/** Goes on in time until the promise is settled. */
async function finish<Result>(world: World, promise: PromiseLike<Result>, what: string): Promise<Result | undefined> {
  let settled = false
  let result: Result | undefined
  promise.then(
    (value) => {
      settled = true
      result = value
    },
    (error) => {
      settled = true
      world.violate(`${what} fails in the calm: ${error}`)
    },
  )
  await passUntil(world, () => settled, what)
  return result
}

async function passUntil(world: World, isReached: () => boolean, what: string): Promise<void> {
  const limit = world.traffic.clock.now() + longestCalmMs
  for (;;) {
    await quiet()
    if (isReached() || world.violation !== undefined) return
    const next = world.traffic.untilNext()
    if (next === undefined || world.traffic.clock.now() > limit) {
      world.violate(`${what} does not end`)
      return
    }
    world.traffic.pass(next)
    deliverOverdue(world)
  }
}

/** What was due has had its turn; then nothing is due any more. */
async function dueRest(world: World, node: Node): Promise<void> {
  const { timed, traffic } = world
  if (!timed) return
  await passUntil(world, () => isUpToDate(stateOf(world.store), traffic.clock.now()), 'what is due')
  for (const plan of Object.keys(timed.plans())) await finish(world, node.engine.removePlan(plan), 'removing a plan')
  await passUntil(world, () => !hasPlannedWork(stateOf(world.store).runs), 'what was due')
  await finish(world, node.engine.idle(), 'idle')
  timed.claims.looked(node, () => stateOf(world.store))
  if (timed.claims.unexplained() > 0) world.coverage.add('due time without a word, its node died')
}

/** A clock that went back lets some of it wait. */
function hasPlannedWork(runs: ReadonlyMap<string, Run>): boolean {
  return [...runs.values()].some(({ planId, state }) => planId !== undefined && (state === 'queued' || state === 'running'))
}

/** Everybody has heard everything. */
async function toldRest(world: World, { receivers }: Timed): Promise<void> {
  await passUntil(world, () => receivers.settled(stateOf(world.store)), 'telling people')
  receivers.check(stateOf(world.store))
  if (receivers.refused() > 0) world.coverage.add('notification refused')
  if (receivers.doubles() > 0) world.coverage.add('notification sent twice')
}

/** A new point can be made, and deleting it deletes everything that is condemned. */
async function pruneOne(world: World, { engine }: Node): Promise<void> {
  const made = (await finish(world, engine.run({ ...backupOrder(world, 0), key: 'last' }), 'last backup')) as
    | { readonly point: string }
    | undefined
  if (!made) return
  // Work that was still waiting may have built on it meanwhile.
  await finish(world, engine.idle(), 'idle before the last prune')
  const points = (await finish(world, engine.points({ repository: 'main' }), 'listing points')) as
    | Awaited<ReturnType<Engine['points']>>
    | undefined
  const going = new Set([made.point])
  for (const { id, parents } of points?.toReversed() ?? []) if (parents.some((parent) => going.has(parent))) going.add(id)
  await finish(world, engine.prune({ repository: 'main', points: [...going] }), 'last prune')
}

function restCheck(world: World, orders: Orders, afterDisaster: boolean): void {
  const { runs } = stateOf(world.store)
  for (const run of runs.values()) {
    // A restore of volumes that was delivered before the database was rolled back finds its own volume and cannot know it: it fails after its last try.
    if (afterDisaster && run.operation === 'restore' && run.state === 'queued') continue
    if (run.state === 'queued' || run.state === 'running') world.violate(`a run is not final: ${run.key}`)
    if (run.intents.length > 0) world.violate(`an intent is left: ${run.key}`)
  }
  const left = world.platform.leftovers()
  if (left.length > 0) world.violate(`leftover on the platform: ${left.join(', ')}`)
  checkKeys(world, orders, [...runs.values()])
  checkDue(world, orders, [...runs.values()], afterDisaster)
  checkMachines(world, [...runs.values()], afterDisaster)
  for (const site of sitesOf(world)) checkFiles(world, site)
}

function checkKeys(world: World, orders: Orders, runs: readonly Run[]): void {
  for (let index = 0; index < keyCount; index++) {
    const { key } = backupOrder(world, index)
    const mine = runs.filter((run) => run.key === key)
    const done = mine.filter((run) => run.state === 'succeeded').length
    if (done > 1 || (done === 0 && !orders.exempt.has(key)))
      world.violate(`${key} has ${done} successful runs: ${JSON.stringify(mine[0]?.error)}`)
  }
}

/** Nothing but a clock that has jumped, a person or a disaster keeps a due run from succeeding. */
function checkDue(world: World, orders: Orders, runs: readonly Run[], afterDisaster: boolean): void {
  const keys = new Set<string>()
  for (const { key, planId, state, error } of runs) {
    if (planId === undefined) continue
    if (keys.has(key)) world.violate(`two runs of ${key}`)
    keys.add(key)
    const code = (error as { readonly code?: string } | undefined)?.code
    if (state === 'skipped') world.coverage.add('due run skipped')
    if (code === 'CLOCK_JUMPED') world.coverage.add('prune refused after a jump')
    // Whoever came first owns a repository that nobody had used before.
    const isForeign = code === 'FOREIGN_OWNER' && world.coverage.has('foreign engine')
    const isAllowed = afterDisaster || orders.exempt.has(key) || code === 'CLOCK_JUMPED' || isForeign
    if (state !== 'succeeded' && state !== 'skipped' && !isAllowed) world.violate(`${key} is ${state}: ${JSON.stringify(error)}`)
  }
}

/** What restores made: at most one machine for each run, exactly one if it succeeded, nothing of one that did not. */
function checkMachines(world: World, runs: readonly Run[], afterDisaster: boolean): void {
  const made = new Map<string, string[]>()
  for (const { id, mark } of world.platform.things()) {
    if (!mark || !/^(machine|volume) /.test(id)) continue
    made.set(mark.run, [...(made.get(mark.run) ?? []), id])
  }
  for (const run of runs.filter((each) => each.operation === 'restore')) {
    const things = made.get(runHash(run.key)) ?? []
    made.delete(runHash(run.key))
    const input = run.input as { readonly purpose: string; readonly workload: { readonly provider: string } }
    const wanted = run.state === 'succeeded' && input.purpose === 'recover'
    const most = input.workload.provider === 'tarproject' ? 2 : 1
    // Volumes carry no mark of being unfinished: one that a doubled request makes again after its test was over is nobody's.
    const late = run.state === 'succeeded' && input.purpose === 'test' && things.every((id) => id.startsWith('volume '))
    if (things.length > (wanted ? most : 0) && !afterDisaster && !late) world.violate(`${run.key} (${run.state}) left ${things.join(', ')}`)
    if (things.length > most) world.violate(`two machines delivered by ${run.key}`)
    if (wanted) checkContent(world, run)
  }
}

function checkContent(world: World, run: Run): void {
  const { workload } = run.result as { readonly workload: string }
  const digest = world.platform.digest(workload)
  if (digest === undefined) world.violate(`what ${run.key} restored is not there: ${workload}`)
  const expected = world.restored.get(run.key)
  if (expected !== undefined && expected !== digest) world.violate(`${run.key} restored other bytes than its point held`)
}

function digestOf(description: unknown): unknown {
  return (description as { readonly digest: string }).digest
}

/** A merge names files of an older number again: that number stays dead for as long. */
function isNamedBelow(named: ReadonlySet<string>, { folder, number }: { readonly folder: string; readonly number: number }): boolean {
  return [...named].some((path) => path.startsWith(`${folder}/${number}/`))
}

/** The catalog is what the repository holds, and nothing lies there that nobody names. */
function checkFiles(world: World, { name, repository, ledger }: Site): void {
  const points = new Map([...stateOf(world.store).points].filter(([, row]) => row.repository === name))
  const files = repository.snapshot()
  const named = new Set<string>()
  const rows = new Set([...points.values()].map((row) => manifestPath(row.folder, row.number)))
  for (const [path, bytes] of files) {
    if (parsedPath(path).kind !== 'manifest' || bytes.length === 0) continue
    if (!rows.has(path)) world.violate(`catalog lacks ${path}`)
  }
  for (const file of ledger.files()) named.add(file)
  for (const [path, bytes] of files) {
    const parsed = parsedPath(path)
    if (parsed.kind === 'data' && !named.has(path)) world.violate(`stray file ${path}`)
    if (parsed.kind === 'manifest' && bytes.length === 0 && !isNamedBelow(named, parsed))
      world.violate(`dead number after the grace time: ${path}`)
    if (parsed.kind === 'flag' && !ledger.current().has(parsed.folder)) world.violate(`stray flag ${path}`)
    if (parsed.kind === 'foreign') world.violate(`foreign file ${path}`)
  }
  for (const row of points.values()) {
    const path = manifestPath(row.folder, row.number)
    if (row.condemned) world.violate(`condemned and never deleted: ${path}`)
    else if (!files.get(path)?.length) world.violate(`ghost row ${path}`)
  }
}

/** One of the points comes back, byte for byte, and every fourth schedule reads all of them. */
async function prove(world: World, { engine }: Node, { name, ledger }: Site): Promise<void> {
  const current = [...ledger.current().values()]
  if (current.length === 0) return
  const manifest = world.random.pick(current)
  const { provider, id } = manifest.workload
  const restored = await finish(
    world,
    engine.restore({ provider, id }, { repository: name, point: manifest.point, name: `proof-${name}` }),
    `restore of ${manifest.point}`,
  )
  if (restored && world.platform.digest(restored.workload) !== digestOf(manifest.description))
    world.violate(`the restore of ${manifest.point} gave other bytes`)
  if (!world.random.chance(0.25)) return
  const verified = await finish(world, engine.verify({ repository: name }), 'verify')
  // A flag that was never acknowledged may be known to the catalog only: a flag too many, never one too few.
  const acknowledged = (file: string) => file.endsWith('/pin.json') && ledger.pinned.has(file.slice(0, file.lastIndexOf('/')))
  const isFlag = (file: string) => parsedPath(file).kind === 'flag'
  const finding = verified?.findings.find(({ file }) => !isFlag(file) || acknowledged(file))
  if (finding) world.violate(`verify: ${finding.file}: ${finding.message}`)
}
