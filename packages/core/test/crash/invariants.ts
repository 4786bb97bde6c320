import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { decodeManifest } from '../../src/model/manifest.ts'
import { filesOfManifest } from '../../src/model/manifest-files.ts'
import { parseRepositoryPath } from '../../src/model/names.ts'
import { openOffline } from '../../src/offline/index.ts'
import { localRepository } from '../../src/repository/local-repository.ts'
import { createProgressMeter } from '../../src/transfer/progress-meter.ts'
import { type CrashCase, type Facts, openWorld, pathsOf, runKey, type World } from './world.ts'
import { differences, stateOf, type WorldState } from './world-state.ts'

/** One `start()` and `idle()` of a fresh engine, as after a reboot. */
export async function recoverOnce(folder: string, crashCase: CrashCase, node: string): Promise<WorldState> {
  const { engine } = await openWorld(folder, crashCase.shape, node)
  await engine.start()
  await engine.idle()
  await engine.stop()
  return stateOf(folder)
}

/**
 * What must hold at any instant, before anything heals: every point that was there before, but one that is being pruned, can be read whole, and where a file
 * names another as its backing file, other programs find that file. Of copies those that are there.
 */
export async function checkReadable(folder: string, { name }: CrashCase, facts: Facts): Promise<void> {
  const { repository, offsite } = pathsOf(folder)
  const expected = facts.points.filter((_, index) => !(name === 'prune' && index === 1)).map(({ id }) => id)
  await checkReadableIn(repository, expected)
  if (existsSync(join(offsite, 'repository.json'))) await checkReadableIn(offsite, [])
}

async function checkReadableIn(root: string, expected: readonly string[]): Promise<void> {
  const repository = localRepository({ folder: root })
  const { signal } = new AbortController()
  const offline = await openOffline({ repository, clock: systemClock, signal })
  const found = offline.points.map(({ id }) => id)
  expect(
    expected.filter((id) => !found.includes(id)),
    'points that cannot be found before anything healed',
  ).toEqual([])
  const wanted = offline.points.filter(({ id }) => expected.length === 0 || expected.includes(id)).map(({ folder }) => folder)
  const meter = createProgressMeter({ clock: systemClock })
  for await (const { findings } of offline.verify({ folders: wanted, mode: 'full', meter, signal })) expect(findings).toEqual([])
  await checkBackingNames(root)
}

async function checkBackingNames(root: string): Promise<void> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  for (const entry of entries.filter((each) => each.isFile() && each.name.endsWith('.qcow2'))) {
    const path = join(entry.parentPath, entry.name)
    const header = await readFile(path)
    // What a killed writer left in a number without a manifest names nothing yet.
    if (header.length < 512 || !existsSync(join(entry.parentPath, `../manifest.${basename(entry.parentPath)}.json`))) continue
    const [offset, size] = [header.readUInt32BE(12), header.readUInt32BE(16)]
    if (offset === 0) continue
    const name = header.toString('utf8', offset, offset + size)
    expect(existsSync(join(entry.parentPath, name)), `${path} names ${name}`).toBe(true)
  }
}

/** What must hold after one recovery, wherever the process was killed. `before`: the world in which it began. */
export async function checkRecovered(folder: string, crashCase: CrashCase, facts: Facts, before: WorldState): Promise<void> {
  const recovered = await recoverOnce(folder, crashCase, 'second')
  checkNothingLeft(recovered, before, crashCase)
  await checkFiles(folder)
  const world = await openWorld(folder, crashCase.shape, 'third')
  try {
    await world.engine.start()
    await world.engine.idle()
    same(recovered, await stateOf(folder), 'a second recovery')
    await checkPoints(world, crashCase, facts)
  } finally {
    await world.engine.stop()
  }
}

export function same(before: unknown, after: unknown, who: string): void {
  const changed = differences(before, after)
  if (changed.length > 0) throw new Error(`${who} changed: ${changed.slice(0, 20).join('; ')}`)
}

/** Nothing runs, waits or holds; the platform has what it had and what the run has delivered, and nothing else. */
export function checkNothingLeft({ catalog, platform }: WorldState, before: WorldState, crashCase: CrashCase): void {
  const held = catalog.runs?.filter((run) => run.state !== 'succeeded' || run.lease_until !== null || run.target_number !== null)
  expect(held?.map(({ key, state, attempt, failures, error_json }) => ({ key, state, attempt, failures, error_json }))).toEqual([])
  const using = catalog.runs?.filter((run) => run.reads_json !== '[]' || openIntents(run.intents_json).length > 0)
  expect(using?.map(({ key, reads_json, intents_json }) => ({ key, reads_json, intents_json }))).toEqual([])
  const known = new Set(namesOf(before.platform))
  const delivered = namesOf(platform).filter((name) => !known.has(name))
  const ran = catalog.runs?.some((run) => run.key === runKey) ?? false
  expect(delivered, 'what is on the platform and was not there before').toEqual(ran ? deliveredBy(crashCase) : [])
  expect(
    namesOf(before.platform).filter((name) => !namesOf(platform).includes(name)),
    'what is gone from the platform',
  ).toEqual(ran && crashCase.snapshots ? ['kept oldest'] : [])
}

function openIntents(json: unknown): readonly unknown[] {
  return (JSON.parse(String(json)) as { until?: number }[]).filter((intent) => intent.until === undefined)
}

function deliveredBy({ name }: CrashCase): readonly string[] {
  if (name === 'restore of a machine') return ['disk disk-0 finished', 'disk disk-1 finished', 'machine restored finished off']
  if (name === 'snapshot') return ['kept new']
  return name === 'restore of a volume' ? ['volume restored'] : []
}

/** Ids of what attempts make are random: a machine is known by its name, a disk by its key. */
function namesOf(things: readonly unknown[]): readonly string[] {
  const described = things.map((thing) => {
    const { id, state } = thing as { id: string; state: { name?: string; unfinished?: boolean; running?: boolean } }
    const finished = state?.unfinished === undefined ? '' : state.unfinished ? ' unfinished' : ' finished'
    if (id.startsWith('machine ')) return `machine ${state.name}${finished} ${state.running ? 'on' : 'off'}`
    if (id.startsWith('kept ')) return `kept ${state.name}`
    if (id.startsWith('container ')) return `${id} ${JSON.stringify(state)}`
    return id.startsWith('disk ') && !id.startsWith('disk web-') ? `disk ${id.slice(-6)}${finished}` : `${id}${finished}`
  })
  return described.sort()
}

/** Every file is `repository.json`, a flag, a live manifest, an empty one, or named by a live one. Nothing is half-written. */
export async function checkFiles(folder: string): Promise<void> {
  const { repository, offsite } = pathsOf(folder)
  await checkFilesIn(repository)
  if (existsSync(offsite)) await checkFilesIn(offsite)
}

async function checkFilesIn(root: string): Promise<void> {
  const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
  const allowed = new Set<string>()
  for (const path of paths) {
    const parsed = parseRepositoryPath(path)
    if (parsed.kind === 'repository' || parsed.kind === 'flag' || parsed.kind === 'manifest') allowed.add(path)
    if (parsed.kind !== 'manifest') continue
    const bytes = await readFile(join(root, path))
    if (bytes.length === 0) continue
    for (const file of filesOfManifest(decodeManifest(bytes, parsed))) allowed.add(`${parsed.folder}/${file}`)
  }
  expect(
    paths.filter((path) => !allowed.has(path)),
    'files that nobody needs',
  ).toEqual([])
  expect(
    [...allowed].filter((path) => !paths.includes(path)),
    'files that are missing',
  ).toEqual([])
}

/** Every point that should be there verifies and restores to what it was made of, and there is no other. */
export async function checkPoints(world: World, crashCase: CrashCase, facts: Facts): Promise<void> {
  const { engine } = world
  const run = await engine.getRun(runKey)
  if (crashCase.catalogLost && !run) await engine.rescan({ repository: 'main', takeOver: facts.owner })
  const pruned = crashCase.name === 'prune' && run ? [facts.points[1]?.id] : []
  const expected = facts.points.filter(({ id }) => !pruned.includes(id))
  const points = (await engine.points({ repository: 'main' })).toReversed()
  expect(points.map(({ id }) => id).slice(0, expected.length)).toEqual(expected.map(({ id }) => id))
  expect(points.length, 'number of points').toBe(expected.length + (run?.operation === 'backup' ? 1 : 0))
  expect(points.map(({ flags }) => flags.pin)).toEqual(points.map((_, index) => (index === 0 ? 'kept for ever' : undefined)))
  const { findings } = await engine.verify({ repository: 'main' })
  expect(findings).toEqual([])
  for (const [index, { id }] of points.entries()) await checkRestore(world, facts, id, expected[index]?.digest ?? facts.digest)
  if (crashCase.name === 'copy' && run) await checkCopies(world, facts)
  checkTarget(world, crashCase, facts, run !== undefined)
}

async function checkCopies(world: World, facts: Facts): Promise<void> {
  const copies = (await world.engine.points({ repository: 'offsite' })).toReversed()
  expect(copies.map(({ id }) => id)).toEqual(facts.points.map(({ id }) => id))
  expect((await world.engine.verify({ repository: 'offsite' })).findings).toEqual([])
  for (const { id, digest } of facts.points) await checkRestore(world, facts, id, digest, 'offsite')
}

async function checkRestore({ engine, platform }: World, facts: Facts, point: string, digest: string, repository = 'main'): Promise<void> {
  const { workload } = await engine.restore(facts.workload, { repository, point, name: `check-${repository}-${point}` })
  expect(platform.digest(workload), `what restoring ${point} gives`).toBe(digest)
}

/** What the interrupted restore was to deliver is whole or, when it was never asked for, not there. */
function checkTarget({ platform }: World, { name }: CrashCase, facts: Facts, asked: boolean): void {
  const newest = facts.points.at(-1)?.digest
  const replaced = name === 'restore over a volume' && asked
  expect(platform.digest(facts.workload.id), 'the workload').toBe(replaced ? facts.points[0]?.digest : facts.digest)
  if (name === 'restore of a volume') expect(platform.digest('restored')).toBe(asked ? newest : undefined)
  if (name === 'restore of a machine') expect(restoredMachines(platform)).toEqual(asked ? [newest] : [])
}

function restoredMachines(platform: World['platform']): readonly (string | undefined)[] {
  const machines = platform
    .things()
    .filter(({ id, state }) => id.startsWith('machine ') && (state as { name?: string }).name === 'restored')
  return machines.map(({ id }) => platform.digest(id.slice('machine '.length)))
}
