import { type CallOptions, HoldfastError, type Mark } from '@holdfast/core/spec'
import type { Random } from '../random.ts'
import { digestOfFiles, markText, mutateFiles, type PlatformThing, sameAttempt, thing } from './content.ts'
import { type Persisted, refill } from './platform-file.ts'
import type { Requests } from './requests.ts'

export interface MemoryVolume {
  readonly name: string
  /** The name inside its project; for a volume of its own, its name. */
  readonly role: string
  readonly project?: string
  readonly mark?: Mark
  readonly files: ReadonlyMap<string, Uint8Array>
}
interface Container {
  readonly name: string
  readonly volumes: readonly string[]
  readonly running: boolean
  /** What its owner wants; a stopped one that should run is a leftover. */
  readonly wanted: boolean
  readonly mark?: Mark
}
export interface NewVolume {
  readonly name: string
  readonly role: string
  readonly project?: string
  readonly mark: Mark
}

/** A platform of volumes and containers, like Docker: volumes cannot be renamed, their labels cannot change, and creating one that is there gives that one. */
export interface VolumeHost {
  list(options: CallOptions): Promise<readonly MemoryVolume[]>
  /** Creates it, or answers with the one that has the name already. */
  create(volume: NewVolume, options: CallOptions): Promise<MemoryVolume>
  /** Refuses a volume that a container uses. */
  remove(name: string, options: CallOptions): Promise<void>
  runningUsers(volumes: readonly string[], options: CallOptions): Promise<readonly string[]>
  users(volume: string, options: CallOptions): Promise<readonly string[]>
  start(container: string, options: CallOptions): Promise<void>
  stop(container: string, options: CallOptions): Promise<void>
  /** A container that is never started: the door to the bytes of volumes. */
  createHelper(name: string, volumes: readonly string[], mark: Mark, options: CallOptions): Promise<void>
  removeHelper(name: string, mark: Mark, options: CallOptions): Promise<void>
  helpers(options: CallOptions): Promise<readonly { readonly name: string; readonly mark: Mark }[]>
  read(helper: string, volume: string, options: CallOptions): Promise<ReadonlyMap<string, Uint8Array>>
  fill(helper: string, volume: string, files: ReadonlyMap<string, Uint8Array>, options: CallOptions): Promise<void>
  /** Wipes `to`, then copies `from` into it: two steps, between which the caller may die. */
  replace(helper: string, from: string, to: string, options: CallOptions): Promise<void>
}
/** The host as its owner and the tests see it, without any wire. */
export interface VolumeWorld extends Persisted {
  readonly host: VolumeHost
  add(volume: Omit<MemoryVolume, 'mark'>, container: string | undefined): void
  remove(name: string): void
  volumesOf(workload: string): readonly MemoryVolume[]
  mutate(random: Random, fileBytes: number): void
  leftovers(): readonly string[]
  things(): readonly PlatformThing[]
}

interface State {
  readonly volumes: Map<string, MemoryVolume>
  readonly containers: Map<string, Container>
  usersOf(volume: string): readonly Container[]
  volume(name: string): MemoryVolume
  /** The volume as seen through this helper: it is gone when the helper is. */
  through(helper: string, volume: string): MemoryVolume
  setFiles(volume: MemoryVolume, files: ReadonlyMap<string, Uint8Array>): void
  setRunning(container: string, running: boolean): void
}

function emptyState(): State {
  const volumes = new Map<string, MemoryVolume>()
  const containers = new Map<string, Container>()
  const volume = (name: string): MemoryVolume => found(volumes.get(name), `volume "${name}"`)
  return {
    volumes,
    containers,
    usersOf: (name) => [...containers.values()].filter((container) => container.volumes.includes(name)),
    volume,
    through(helper, name) {
      if (containers.get(helper)?.volumes.includes(name)) return volume(name)
      throw new HoldfastError('PROVIDER_FAILED', `helper "${helper}" of volume "${name}" is gone`)
    },
    setFiles: (to, files) => void volumes.set(to.name, { ...to, files: new Map(files) }),
    setRunning(name, running) {
      const container = containers.get(name)
      if (container && !container.mark) containers.set(name, { ...container, running })
    },
  }
}

export function volumeWorld(requests: Requests): VolumeWorld {
  const state = emptyState()
  const { volumes, containers } = state
  return {
    host: { ...volumeRequests(requests, state), ...containerRequests(requests, state), ...helperRequests(requests, state) },
    add(made, container) {
      volumes.set(made.name, made)
      if (container === undefined) return
      const before = containers.get(container)?.volumes ?? []
      containers.set(container, { name: container, volumes: [...before, made.name], running: true, wanted: true })
    },
    remove(name) {
      volumes.delete(name)
      for (const user of state.usersOf(name)) containers.delete(user.name)
    },
    volumesOf: (workload) => [...volumes.values()].filter(({ name, project }) => (project ?? name) === workload),
    mutate(random, fileBytes) {
      const writable = [...containers.values()].filter(({ running, volumes: used }) => running && used.some((name) => volumes.has(name)))
      if (writable.length === 0) return
      const target = volumes.get(random.pick(random.pick(writable).volumes))
      if (target) volumes.set(target.name, { ...target, files: mutateFiles(target.files, random, fileBytes) })
    },
    leftovers: () =>
      [...containers.values()].flatMap(({ name, running, wanted, mark }) => {
        if (mark) return [`helper container ${name} of ${markText(mark)}`]
        return wanted && !running ? [`stopped container ${name}`] : []
      }),
    dump: () => ({ volumes, containers }),
    load(dumped) {
      const saved = dumped as Pick<State, 'volumes' | 'containers'>
      refill(volumes, saved.volumes)
      refill(containers, saved.containers)
    },
    things: () => [
      ...[...volumes.values()].map(({ name, mark, files }) => thing(`volume ${name}`, mark, digestOfFiles(files))),
      ...[...containers.values()].map(({ name, running, mark }) => thing(`container ${name}`, mark, running)),
    ],
  }
}

function volumeRequests(
  { read, write, connection }: Requests,
  { volumes, volume, usersOf }: State,
): Pick<VolumeHost, 'list' | 'create' | 'remove' | 'users'> {
  function create(made: NewVolume): MemoryVolume {
    if (!volumes.has(made.name)) volumes.set(made.name, { ...made, files: new Map() })
    return volume(made.name)
  }
  function remove(name: string): void {
    if (usersOf(name).length > 0) throw new HoldfastError('IN_USE', `volume "${name}" is used by a container`)
    volumes.delete(name)
  }
  return {
    list: (options) => read('volumes.list', () => [...volumes.values()], options),
    create: (made, options) => write('volumes.create', () => create(made), options),
    remove: (name, options) => connection('volumes.remove', () => remove(name), options),
    users: (name, options) => read('containers.list', () => usersOf(name).map((user) => user.name), options),
  }
}

function containerRequests(
  { read, connection }: Requests,
  { usersOf, setRunning }: State,
): Pick<VolumeHost, 'runningUsers' | 'start' | 'stop'> {
  const running = (names: readonly string[]) => [...new Set(names.flatMap(usersOf))].filter((user) => user.running).map(({ name }) => name)
  return {
    runningUsers: (names, options) => read('containers.list', () => running(names), options),
    start: (name, options) => connection('containers.start', () => setRunning(name, true), options),
    stop: (name, options) => connection('containers.stop', () => setRunning(name, false), options),
  }
}

function helperRequests(
  { read, write, connection }: Requests,
  { containers, volume, through, setFiles }: State,
): Pick<VolumeHost, 'createHelper' | 'removeHelper' | 'helpers' | 'read' | 'fill' | 'replace'> {
  const create = (name: string, of: readonly string[], mark: Mark) => {
    containers.set(name, { name, volumes: of.map((each) => volume(each).name), running: false, wanted: false, mark })
  }
  const remove = (name: string, mark: Mark) => {
    if (sameAttempt(containers.get(name)?.mark, mark)) containers.delete(name)
  }
  const all = () => [...containers.values()].flatMap(({ name, mark }) => (mark ? [{ name, mark }] : []))
  return {
    createHelper: (name, of, mark, options) => write('helpers.create', () => create(name, of, mark), options),
    removeHelper: (name, mark, options) => write('helpers.remove', () => remove(name, mark), options),
    helpers: (options) => read('helpers.list', all, options),
    read: (helper, name, options) => read('helpers.read', () => through(helper, name).files, options),
    fill: (helper, name, files, options) => connection('helpers.fill', () => setFiles(through(helper, name), files), options),
    async replace(helper, from, to, options) {
      await connection('helpers.wipe', () => through(helper, from) && setFiles(through(helper, to), new Map()), options)
      await connection('helpers.copy', () => setFiles(through(helper, to), through(helper, from).files), options)
    },
  }
}

export function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new HoldfastError('NOT_FOUND', `${what} is not on the platform`)
  return value
}
