import {
  type ByteStream,
  type CallOptions,
  type Clock,
  HoldfastError,
  type Repository,
  type StoredBytes,
  throwIfAborted,
} from '@holdfast/core/spec'
import { type FaultyStorage, faultyStorage, type StoredVersion } from './faulty-repository-storage.ts'
import { checkListPrefix, checkStoredPath, collectPut, existsError, memoryBytes } from './memory-repository.ts'

/** How probable each fault is, per call, from 0 to 1. */
export interface FaultRates {
  /** The request never arrives; the call rejects with TIMED_OUT. */
  readonly lostRequest: number
  /** The request took effect, durable or not; the call rejects with TIMED_OUT. */
  readonly lostAnswer: number
  /** Only `put` with `ifAbsent`: the call rejects with TIMED_OUT, and the request may arrive later, see `deliverLate`. */
  readonly lateRequest: number
  /** Only `put` with `ifAbsent`: it succeeds, and a copy of the request may arrive later. */
  readonly doubledRequest: number
  /** Only `put` with `ifAbsent`: its repetition by the network is refused, so that the call rejects with EXISTS although the file is its own. */
  readonly ownExists: number
  /** Only `put` of at least one byte: DISK_FULL. */
  readonly diskFull: number
  /** Any call but `put` and `delete`: REPOSITORY_FAILED. */
  readonly failed: number
  /** A list leaves out a file that was put less than `lagMs` ago, or shows one that went less than `lagMs` ago: per file. */
  readonly listLag: number
  /** Milliseconds on the clock. */
  readonly lagMs: number
}

/** What a faulty repository draws its faults from. Equal seeds and equal calls in equal order give equal faults. */
export interface FaultyRepositoryOptions {
  /** Everything random comes from here: a generator by seed, such as `seededRandom(seed)`. */
  readonly random: {
    /** At least 0, less than 1. */
    next(): number
  }
  readonly clock: Clock
  /**
   * Awaited before and after each call and where a call has taken effect but is not durable, with `put before a/b`, `put visible a/b`, `put after a/b`
   * (also `open`, `read`, `list`, `sync`, `delete`, `check`). A driver interleaves, freezes (never resolves) or kills (throws) workers here.
   */
  turn?(label: string): Promise<void> | void
  /** Rates that differ from the usual ones, which are some per cent; {@link noFaults} for a repository that behaves. */
  readonly faults?: Partial<FaultRates>
}

/** A repository in memory that keeps the contract in the worst way. */
export interface FaultyRepository extends Repository {
  /** The same storage as another worker sees it. */
  view(turn: (label: string) => Promise<void> | void): Repository
  /** The visible files, by path. The bytes are not copied. */
  snapshot(): ReadonlyMap<string, Uint8Array>
  /** The files that a power loss would leave for certain. */
  durable(): ReadonlyMap<string, Uint8Array>
  /**
   * The storage loses its power: of what is not durable some is kept, some is lost, and of files that do not end in `.json` some are torn. Calls that
   * are under way reject.
   */
  powerLoss(): void
  /** The oldest late requests arrive, all or at most `limit`; answers how many took effect. What they wrote is durable only after `sync`. */
  deliverLate(limit?: number): number
  /** Requests that may still arrive. */
  readonly late: number
  /** Milliseconds that the oldest of them is on its way; 0 when there is none. */
  readonly lateMs: number
  /** The storage makes one change durable by itself. */
  writeBack(): void
  /** Changes the rates that are named, from the next call on, for all views; the others stay. Late requests already under way stay under way. */
  setFaults(faults: Partial<FaultRates>): void
}

/** Every rate 0: given to `setFaults` when a schedule is over, so that what follows is judged in peace. */
export const noFaults: FaultRates = {
  lostRequest: 0,
  lostAnswer: 0,
  lateRequest: 0,
  doubledRequest: 0,
  ownExists: 0,
  diskFull: 0,
  failed: 0,
  listLag: 0,
  lagMs: 0,
}

const usualFaults: FaultRates = {
  lostRequest: 0.01,
  lostAnswer: 0.02,
  lateRequest: 0.02,
  doubledRequest: 0.1,
  ownExists: 0.01,
  diskFull: 0.005,
  failed: 0.005,
  listLag: 0.3,
  lagMs: 2_000,
}

/** A put is durable when it resolves, as the contract says; one that was visible before that, lost its answer or came late is not, until `sync`. */
export function faultyRepository(options: FaultyRepositoryOptions): FaultyRepository {
  const storage = faultyStorage(options.random, options.clock)
  const world: World = { storage, random: options.random, clock: options.clock, faults: { ...usualFaults, ...options.faults } }
  const bytesOf = (files: ReadonlyMap<string, StoredVersion>): ReadonlyMap<string, Uint8Array> =>
    new Map([...files].map(([path, { bytes }]) => [path, bytes]))
  return {
    ...viewOf(world, options.turn),
    view: (turn) => viewOf(world, turn),
    snapshot: () => bytesOf(storage.visible),
    durable: () => bytesOf(storage.durable),
    powerLoss: () => storage.powerLoss(),
    deliverLate: (limit = Number.POSITIVE_INFINITY) => storage.deliver(limit),
    get late() {
      return storage.late.length
    },
    get lateMs() {
      const [oldest] = storage.late
      return oldest === undefined ? 0 : options.clock.monotonic() - oldest.madeAt
    },
    writeBack: () => storage.writeBack(),
    setFaults(faults) {
      world.faults = { ...world.faults, ...faults }
    },
  }
}

interface World {
  readonly storage: FaultyStorage
  readonly random: { next(): number }
  readonly clock: Clock
  faults: FaultRates
}

type Turn = ((label: string) => Promise<void> | void) | undefined

function viewOf(world: World, turn: Turn): Repository {
  const around = async <Result>(label: string, path: string, call: CallOptions, act: () => Promise<Result>): Promise<Result> => {
    throwIfAborted(call.signal)
    await turn?.(`${label} before ${path}`)
    throwIfAborted(call.signal)
    const result = await act()
    await turn?.(`${label} after ${path}`)
    return result
  }
  return {
    specVersion: 1,
    createIfAbsent: 'atomic',
    check: (call) => around('check', '', call, async () => [{ name: 'reachable', status: 'ok', message: 'The repository is in memory' }]),
    async put(path, bytes, call) {
      checkStoredPath(path)
      return around('put', path, call, () => put(world, turn, path, bytes, call))
    },
    async open(path, call) {
      checkStoredPath(path)
      return around('open', path, call, async () => open(world, turn, path))
    },
    list: (prefix, call) => list(world, turn, prefix, call),
    async sync(folder, call) {
      const path = folder.replace(/\/$/, '')
      if (folder !== '') checkStoredPath(path)
      await around('sync', path, call, async () => {
        mayFail(world, `sync '${path}'`)
        world.storage.persist((name) => folderOf(name) === path)
      })
    },
    async delete(path, call) {
      checkStoredPath(path.replace(/\/$/, ''))
      await around('delete', path, call, () => remove(world, turn, path))
    },
    async [Symbol.asyncDispose]() {},
  }
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** Draws once for a list of faults that exclude each other. */
function draw<Name extends keyof FaultRates>({ random, faults }: World, ...names: readonly Name[]): Name | undefined {
  let chance = random.next()
  for (const name of names) {
    if (chance < faults[name]) return name
    chance -= faults[name]
  }
  return undefined
}

function timedOut(what: string): HoldfastError {
  return new HoldfastError('TIMED_OUT', `no answer came to: ${what}`, { retryable: true })
}

function mayFail(world: World, what: string): void {
  if (draw(world, 'failed')) throw new HoldfastError('REPOSITORY_FAILED', `cannot ${what}: the disk reported an input/output error`)
}

async function put(
  world: World,
  turn: Turn,
  path: string,
  stream: ByteStream,
  options: Parameters<Repository['put']>[2],
): Promise<{ readonly size: number }> {
  const { storage } = world
  const { generation } = storage
  const { size, ifAbsent, signal } = options
  if (ifAbsent && storage.visible.has(path)) throw existsError(path)
  const bytes = await collectPut(path, stream, size, { signal })
  const created = ifAbsent ? (['lateRequest', 'doubledRequest', 'ownExists'] as const) : []
  const full = bytes.length > 0 ? (['diskFull'] as const) : []
  const fault = draw(world, 'lostRequest', 'lostAnswer', ...created, ...full)
  requirePower(storage, generation, `put '${path}'`)
  if (fault === 'lostRequest') throw timedOut(`put '${path}'`)
  if (fault === 'diskFull') throw new HoldfastError('DISK_FULL', `cannot write '${path}': no space is left`)
  if (fault === 'lateRequest' || fault === 'doubledRequest') storage.queue(path, bytes)
  if (fault === 'lateRequest') throw timedOut(`put '${path}'`)
  if (ifAbsent && storage.visible.has(path)) throw existsError(path)
  storage.write(path, bytes)
  await turn?.(`put visible ${path}`)
  requirePower(storage, generation, `put '${path}'`)
  if (fault === 'lostAnswer') throw timedOut(`put '${path}'`)
  if (fault === 'ownExists') throw existsError(path)
  storage.persist((name) => name === path)
  return { size: bytes.length }
}

async function remove(world: World, turn: Turn, path: string): Promise<void> {
  const { storage } = world
  const { generation } = storage
  const fault = draw(world, 'lostRequest', 'lostAnswer')
  if (fault === 'lostRequest') throw timedOut(`delete '${path}'`)
  const names = path.endsWith('/') ? [...storage.visible.keys()].filter((name) => name.startsWith(path)) : [path]
  for (const name of names) {
    storage.remove(name)
    await turn?.(`delete visible ${name}`)
    requirePower(storage, generation, `delete '${path}'`)
  }
  if (fault === 'lostAnswer') throw timedOut(`delete '${path}'`)
  storage.persist((name) => (path.endsWith('/') ? name.startsWith(path) : name === path))
}

function requirePower(storage: FaultyStorage, generation: number, what: string): void {
  if (storage.generation !== generation) throw new HoldfastError('REPOSITORY_FAILED', `cannot ${what}: the storage lost its power`)
}

function open(world: World, turn: Turn, path: string): StoredBytes {
  mayFail(world, `open '${path}'`)
  const absent = (): HoldfastError => new HoldfastError('NOT_FOUND', `cannot open '${path}': there is no such file`, { details: { path } })
  const version = world.storage.visible.get(path)
  if (!version) throw absent()
  const file = memoryBytes(path, version.bytes)
  // Other storages do not keep a deleted file for those who have it open.
  const requireThere = async (): Promise<void> => {
    await turn?.(`read before ${path}`)
    const now = world.storage.visible.get(path)
    if (!now) throw absent()
    // Replaced is not absent: NOT_FOUND would be taken as proof that there is no such file.
    if (now !== version) throw new HoldfastError('REPOSITORY_FAILED', `cannot read '${path}': it was replaced while it was read`)
    mayFail(world, `read '${path}'`)
  }
  async function* stream(
    range: { readonly start: number; readonly end: number },
    call: CallOptions,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    throwIfAborted(call.signal)
    await requireThere()
    yield* file.stream(range, call)
  }
  return {
    ...file,
    async readInto(target, offset, call) {
      throwIfAborted(call.signal)
      await requireThere()
      await file.readInto(target, offset, call)
    },
    stream,
  }
}

async function* list(
  world: World,
  turn: Turn,
  prefix: string,
  call: CallOptions,
): AsyncGenerator<{ path: string; size: number; ageMs: number }, void, undefined> {
  checkListPrefix(prefix)
  throwIfAborted(call.signal)
  await turn?.(`list before ${prefix}`)
  mayFail(world, `list '${prefix}'`)
  const { storage, faults, random } = world
  const now = world.clock.now()
  const lags = (since: number): boolean => now - since < faults.lagMs && random.next() < faults.listLag
  const found: { path: string; size: number; ageMs: number }[] = []
  for (const [path, { bytes, putAt }] of storage.visible) {
    if (path.startsWith(prefix) && !lags(putAt)) found.push({ path, size: bytes.length, ageMs: Math.max(0, now - putAt) })
  }
  for (const [path, { size, goneAt }] of storage.gone) {
    if (path.startsWith(prefix) && !storage.visible.has(path) && lags(goneAt)) found.push({ path, size, ageMs: Math.max(0, now - goneAt) })
  }
  for (const entry of found) {
    throwIfAborted(call.signal)
    yield entry
  }
  await turn?.(`list after ${prefix}`)
}
