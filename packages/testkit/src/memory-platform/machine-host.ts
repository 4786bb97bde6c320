import { type CallOptions, type Clock, HoldfastError, type Machine, type Mark } from '@holdfast/core/spec'
import type { Random } from '../random.ts'
import {
  type DiskContent,
  digestOfDisks,
  emptyDisk,
  markText,
  mutateDisk,
  type PlatformThing,
  sameAttempt,
  sameRun,
  thing,
  withBytes,
} from './content.ts'
import { type KeptSnapshot, keptSnapshotRequests, newSnapshot, type SnapshotHost, type SnapshotState } from './machine-snapshots.ts'
import { type Persisted, refill } from './platform-file.ts'
import type { Requests } from './requests.ts'
import { found } from './volume-host.ts'

interface Snapshot {
  readonly name: string
  readonly mark: Mark
  readonly disks: readonly DiskContent[]
}
interface Checkpoint {
  readonly id: string
  readonly mark: Mark
  /** The write counter when it was made: what was written later is dirty. */
  readonly sequence: number
  /** Disks that had a bitmap then and still have it. */
  readonly disks: readonly string[]
}
interface GoingBackup {
  readonly id: string
  readonly mark: Mark
  readonly from?: Checkpoint
  readonly disks: readonly DiskContent[]
}
export interface MemoryMachine {
  readonly id: string
  readonly name: string
  readonly machine: Machine
  readonly mark?: Mark
  readonly unfinished: boolean
  readonly running: boolean
  readonly disks: readonly string[]
  readonly snapshots: readonly Snapshot[]
  readonly checkpoints: readonly Checkpoint[]
  readonly backups: readonly GoingBackup[]
  /** Those of people. */
  readonly kept: readonly KeptSnapshot[]
}
export interface HostDisk {
  readonly id: string
  readonly mark?: Mark
  readonly unfinished: boolean
  readonly content: DiskContent
}
export interface StartedBackup {
  readonly checkpoint: string
  readonly disks: readonly { readonly content: DiskContent; readonly mode: 'full' | 'incremental' }[]
}

/** A platform of machines, like a hypervisor: names are unique, a name can be taken by a rename, tags can be removed. */
export interface MachineHost extends SnapshotHost {
  list(options: CallOptions): Promise<readonly MemoryMachine[]>
  disksOf(machine: string, options: CallOptions): Promise<readonly DiskContent[]>
  /** All disks, attached ones included. */
  disks(options: CallOptions): Promise<readonly HostDisk[]>
  createSnapshot(machine: string, name: string, mark: Mark, options: CallOptions): Promise<readonly DiskContent[]>
  removeSnapshot(machine: string, name: string, mark: Mark, options: CallOptions): Promise<void>
  /** Rejects with PROVIDER_FAILED "checkpoint ..." when `from` is not there any more. */
  startBackup(machine: string, id: string, from: string | undefined, mark: Mark, options: CallOptions): Promise<StartedBackup>
  /** The clusters of this disk that were written after the backup's base, or PROVIDER_FAILED "bitmap ..." when that is not known any more. */
  dirtyClusters(machine: string, backup: string, disk: string, options: CallOptions): Promise<readonly number[]>
  finalizeBackup(machine: string, id: string, options: CallOptions): Promise<void>
  deleteCheckpoint(machine: string, id: string, options: CallOptions): Promise<void>
  deleteCheckpointsBefore(machine: string, id: string, mark: Mark, options: CallOptions): Promise<void>
  createDisk(
    id: string,
    disk: { readonly key: string; readonly name: string; readonly size: number },
    mark: Mark,
    options: CallOptions,
  ): Promise<void>
  /** Only while it is unfinished. */
  writeDisk(id: string, offset: number, bytes: Uint8Array, options: CallOptions): Promise<void>
  /** Refuses a disk of a machine. */
  removeDisk(id: string, options: CallOptions): Promise<void>
  /** Refuses disks of another machine. */
  createMachine(name: string, machine: Machine, disks: readonly string[], mark: Mark, options: CallOptions): Promise<string>
  /** Takes the final name and removes "unfinished", of its disks too, in one step. NAME_TAKEN if another machine has it. */
  deliver(machine: string, name: string, options: CallOptions): Promise<void>
  powerOn(machine: string, options: CallOptions): Promise<void>
  /** The machine that has this name now, with its disks: who is addressed by the name of an attempt is not hit any more once it was delivered. */
  removeMachineNamed(name: string, options: CallOptions): Promise<void>
}
export interface MachineWorld extends Persisted {
  readonly host: MachineHost
  add(machine: Machine, disks: readonly DiskContent[]): string
  remove(id: string): void
  disksOf(id: string): readonly DiskContent[]
  machine(id: string): MemoryMachine | undefined
  /** A snapshot that somebody takes with other tools. Gives its id. */
  addSnapshot(machine: string, name: string): string
  mutate(random: Random): void
  loseCheckpoints(machine: string): void
  loseBitmaps(machine: string): void
  leftovers(): readonly string[]
  things(): readonly PlatformThing[]
}

/** Everything on the platform: what the wire's requests and the owner both work on. */
interface State {
  readonly machines: Map<string, MemoryMachine>
  readonly disks: Map<string, HostDisk>
  readonly counters: { sequence: number; made: number }
  /** The next value of the write counter. */
  tick(): number
  get(id: string): MemoryMachine
  patch(id: string, change: Partial<MemoryMachine>): void
  contents(id: string): readonly DiskContent[]
  named(name: string): MemoryMachine | undefined
  create(name: string, machine: Machine, disks: readonly string[], mark: Mark | undefined): string
}

function emptyState(): State {
  const machines = new Map<string, MemoryMachine>()
  const disks = new Map<string, HostDisk>()
  const counters = { sequence: 0, made: 0 }
  const get = (id: string): MemoryMachine => found(machines.get(id), `machine "${id}"`)
  const named = (name: string) => [...machines.values()].find((machine) => machine.name === name)
  return {
    machines,
    disks,
    counters,
    tick: () => ++counters.sequence,
    get,
    patch: (id, change) => void machines.set(id, { ...get(id), ...change }),
    contents: (id) => get(id).disks.flatMap((disk) => disks.get(disk)?.content ?? []),
    named,
    create(name, machine, of, mark) {
      if (named(name)) throw new HoldfastError('NAME_TAKEN', `a machine named "${name}" is there already`)
      const id = `vm-${++counters.made}`
      const flags = { unfinished: mark !== undefined, running: mark === undefined, ...(mark && { mark }) }
      machines.set(id, {
        id,
        name,
        machine: { ...machine, name },
        disks: of,
        snapshots: [],
        checkpoints: [],
        backups: [],
        kept: [],
        ...flags,
      })
      return id
    },
  }
}

export function machineWorld(requests: Requests, clock: Clock | undefined): MachineWorld {
  const state = emptyState()
  const snapshots = snapshotState(state)
  const { machines, disks, patch, get, contents } = state
  return {
    host: {
      list: (options) => requests.read('machines.list', () => [...machines.values()], options),
      disksOf: (id, options) => requests.read('machines.disks', () => contents(id), options),
      disks: (options) => requests.read('disks.list', () => [...disks.values()], options),
      ...snapshotRequests(requests, state),
      ...keptSnapshotRequests(requests, snapshots, clock),
      ...backupRequests(requests, state),
      ...diskRequests(requests, state),
      ...machineRequests(requests, state),
    },
    add(machine, of) {
      const prefix = `${machine.name}-`
      for (const content of of) disks.set(prefix + content.key, { id: prefix + content.key, unfinished: false, content })
      return state.create(
        machine.name,
        machine,
        of.map(({ key }) => prefix + key),
        undefined,
      )
    },
    remove(id) {
      for (const disk of get(id).disks) disks.delete(disk)
      machines.delete(id)
    },
    disksOf: contents,
    machine: (id) => machines.get(id),
    addSnapshot: (id, name) => newSnapshot(snapshots, clock, id, { name, memory: false, quiesced: false }).id,
    mutate(random) {
      const running = [...machines.values()].filter((machine) => machine.running && machine.disks.length > 0)
      if (running.length === 0) return
      const disk = disks.get(random.pick(random.pick(running).disks))
      if (disk) disks.set(disk.id, { ...disk, content: mutateDisk(disk.content, random, state.tick()) })
    },
    loseCheckpoints: (id) => patch(id, { checkpoints: [] }),
    loseBitmaps: (id) =>
      patch(id, { checkpoints: get(id).checkpoints.map((checkpoint) => ({ ...checkpoint, disks: checkpoint.disks.slice(1) })) }),
    leftovers: () => machineLeftovers([...machines.values()], [...disks.values()]),
    dump: () => ({ machines, disks, counters: state.counters }),
    load(dumped) {
      const saved = dumped as Pick<State, 'machines' | 'disks' | 'counters'>
      refill(machines, saved.machines)
      refill(disks, saved.disks)
      Object.assign(state.counters, saved.counters)
    },
    things: () => thingsOf(state),
  }
}

function snapshotState({ get, patch, contents, disks, counters, tick }: State): SnapshotState {
  return {
    get,
    setKept: (machine, kept) => patch(machine, { kept }),
    contents,
    setContents(machine, of) {
      const written = tick()
      for (const id of get(machine).disks) {
        const disk = found(disks.get(id), `disk "${id}"`)
        const then = of.find(({ key }) => key === disk.content.key)
        if (then) disks.set(id, { ...disk, content: { ...then, written: then.written.map(() => written) } })
      }
    },
    nextNumber: () => ++counters.made,
  }
}

function thingsOf({ machines, disks }: State): readonly PlatformThing[] {
  const ofMachine = ({ id, name, mark, unfinished, running, snapshots, backups, kept, disks: of }: MemoryMachine) => [
    thing(`machine ${id}`, mark, { name, unfinished, running, disks: of }),
    ...snapshots.map((snapshot) => thing(`snapshot ${snapshot.name}`, snapshot.mark, id)),
    ...backups.map((backup) => thing(`backup ${backup.id}`, backup.mark, id)),
    ...kept.map((each) => thing(`kept ${each.id}`, each.mark, { machine: id, name: each.name, digest: digestOfDisks(each.disks) })),
  ]
  return [
    ...[...machines.values()].flatMap(ofMachine),
    ...[...disks.values()].map(({ id, mark, unfinished, content }) =>
      thing(`disk ${id}`, mark, { unfinished, digest: digestOfDisks([content]) }),
    ),
  ]
}

function diskRequests({ write }: Requests, { machines, disks, tick }: State): Pick<MachineHost, 'createDisk' | 'writeDisk' | 'removeDisk'> {
  const create = (id: string, disk: Parameters<MachineHost['createDisk']>[1], mark: Mark) => {
    if (!disks.has(id)) disks.set(id, { id, mark, unfinished: true, content: emptyDisk(disk) })
  }
  function change(id: string, offset: number, bytes: Uint8Array): void {
    const disk = found(disks.get(id), `disk "${id}"`)
    if (!disk.unfinished) throw new HoldfastError('PROVIDER_FAILED', `disk "${id}" is not being written any more`)
    disks.set(id, { ...disk, content: withBytes(disk.content, offset, bytes, tick()) })
  }
  function remove(id: string): void {
    const user = [...machines.values()].find((machine) => machine.disks.includes(id))
    if (user) throw new HoldfastError('IN_USE', `disk "${id}" belongs to machine "${user.name}"`)
    disks.delete(id)
  }
  return {
    createDisk: (id, disk, mark, options) => write('disks.create', () => create(id, disk, mark), options),
    writeDisk(id, offset, bytes, options) {
      const copy = new Uint8Array(bytes)
      return write('disks.write', () => change(id, offset, copy), options)
    },
    removeDisk: (id, options) => write('disks.remove', () => remove(id), options),
  }
}

function machineRequests(
  { write }: Requests,
  { machines, disks, get, patch, named, create }: State,
): Pick<MachineHost, 'createMachine' | 'deliver' | 'powerOn' | 'removeMachineNamed'> {
  function deliver(id: string, name: string): void {
    const holder = named(name)
    if (holder && holder.id !== id) throw new HoldfastError('NAME_TAKEN', `a machine named "${name}" is there already`)
    for (const disk of get(id).disks) disks.set(disk, { ...found(disks.get(disk), `disk "${disk}"`), unfinished: false })
    patch(id, { name, unfinished: false, machine: { ...get(id).machine, name } })
  }
  function remove(name: string): void {
    const machine = named(name)
    for (const disk of machine?.disks ?? []) disks.delete(disk)
    if (machine) machines.delete(machine.id)
  }
  function free(id: string): string {
    const user = [...machines.values()].find((machine) => machine.disks.includes(id))
    if (user) throw new HoldfastError('IN_USE', `disk "${id}" belongs to machine "${user.name}"`)
    return found(disks.get(id), `disk "${id}"`).id
  }
  return {
    createMachine: (name, machine, of, mark, options) => write('machines.create', () => create(name, machine, of.map(free), mark), options),
    deliver: (id, name, options) => write('machines.deliver', () => deliver(id, name), options),
    powerOn: (id, options) => write('machines.start', () => patch(id, { running: true }), options),
    removeMachineNamed: (name, options) => write('machines.remove', () => remove(name), options),
  }
}

function snapshotRequests({ write }: Requests, { get, patch, contents }: State): Pick<MachineHost, 'createSnapshot' | 'removeSnapshot'> {
  return {
    createSnapshot: (id, name, mark, options) =>
      write(
        'snapshots.create',
        () => {
          const { snapshots } = get(id)
          if (snapshots.some((snapshot) => snapshot.name === name)) throw new HoldfastError('EXISTS', `snapshot "${name}" is there already`)
          patch(id, { snapshots: [...snapshots, { name, mark, disks: contents(id) }] })
          return contents(id)
        },
        options,
      ),
    removeSnapshot: (id, name, mark, options) => {
      const other = (snapshot: Snapshot) => snapshot.name !== name || !sameAttempt(snapshot.mark, mark)
      return write('snapshots.remove', () => patch(id, { snapshots: get(id).snapshots.filter(other) }), options)
    },
  }
}

function backupRequests(
  { read, write }: Requests,
  { get, patch, contents, tick }: State,
): Pick<MachineHost, 'startBackup' | 'dirtyClusters' | 'finalizeBackup' | 'deleteCheckpoint' | 'deleteCheckpointsBefore'> {
  const keysOf = (disks: readonly DiskContent[]) => disks.map(({ key }) => key)
  function start(machine: string, id: string, from: string | undefined, mark: Mark): StartedBackup {
    const { checkpoints, backups } = get(machine)
    const base = checkpoints.find((checkpoint) => checkpoint.id === from)
    if (from !== undefined && !base) throw new HoldfastError('PROVIDER_FAILED', `checkpoint "${from}" is not there`)
    const disks = contents(machine)
    const checkpoint: Checkpoint = { id: `checkpoint-of-${id}`, mark, sequence: tick(), disks: keysOf(disks) }
    if (!backups.some((backup) => backup.id === id)) {
      patch(machine, { backups: [...backups, { id, mark, disks, ...(base && { from: base }) }], checkpoints: [...checkpoints, checkpoint] })
    }
    const mode = (disk: DiskContent) => (base?.disks.includes(disk.key) ? 'incremental' : 'full')
    return { checkpoint: checkpoint.id, disks: disks.map((content) => ({ content, mode: mode(content) })) }
  }
  function dirty(machine: string, id: string, key: string): readonly number[] {
    const { backups, checkpoints } = get(machine)
    const backup = backups.find((other) => other.id === id)
    const base = checkpoints.find((checkpoint) => checkpoint.id === backup?.from?.id)
    const disk = backup?.disks.find((other) => other.key === key)
    if (!base?.disks.includes(key) || !disk) throw new HoldfastError('PROVIDER_FAILED', `bitmap of disk "${key}" is missing`)
    return disk.written.flatMap((written, index) => (written > base.sequence ? [index] : []))
  }
  return {
    startBackup: (machine, id, from, mark, options) => write('backups.start', () => start(machine, id, from, mark), options),
    dirtyClusters: (machine, id, key, options) => read('backups.dirty', () => dirty(machine, id, key), options),
    finalizeBackup: (machine, id, options) =>
      write('backups.finalize', () => patch(machine, { backups: get(machine).backups.filter((backup) => backup.id !== id) }), options),
    deleteCheckpoint: (machine, id, options) =>
      write(
        'checkpoints.remove',
        () => patch(machine, { checkpoints: get(machine).checkpoints.filter((checkpoint) => checkpoint.id !== id) }),
        options,
      ),
    deleteCheckpointsBefore: (machine, id, mark, options) => {
      const action = () => {
        const { checkpoints } = get(machine)
        const limit = checkpoints.find((checkpoint) => checkpoint.id === id)?.sequence ?? 0
        const ours = (checkpoint: Checkpoint) => checkpoint.mark.system === mark.system && checkpoint.mark.plan === mark.plan
        patch(machine, { checkpoints: checkpoints.filter((checkpoint) => checkpoint.sequence >= limit || !ours(checkpoint)) })
      }
      return write('checkpoints.remove', action, options)
    },
  }
}

function machineLeftovers(machines: readonly MemoryMachine[], disks: readonly HostDisk[]): readonly string[] {
  const attached = new Set(machines.flatMap((machine) => machine.disks))
  return [
    ...machines.flatMap(({ name, unfinished, mark }) => (unfinished ? [`unfinished machine ${name} of ${markText(mark)}`] : [])),
    ...machines.flatMap(({ name, snapshots }) => snapshots.map((snapshot) => `snapshot ${snapshot.name} of machine ${name}`)),
    ...machines.flatMap(({ name, backups }) => backups.map((backup) => `backup ${backup.id} of machine ${name}`)),
    ...disks.flatMap(({ id, unfinished }) => (unfinished || !attached.has(id) ? [`disk ${id}`] : [])),
  ]
}

/** Machines that any attempt of this run has made. */
export const madeBy = (machines: readonly MemoryMachine[], mark: Omit<Mark, 'attempt'>): readonly MemoryMachine[] =>
  machines.filter((machine) => sameRun(machine.mark, mark))
