import { type CallOptions, type Clock, HoldfastError, type Mark } from '@holdfast/core/spec'
import { type DiskContent, sameAttempt } from './content.ts'
import type { Requests } from './requests.ts'

/** A snapshot that people keep: nothing that a backup makes for itself. Names are not unique. */
export interface KeptSnapshot {
  readonly id: string
  readonly name: string
  /** ISO 8601 UTC. */
  readonly createdAt: string
  readonly memory: boolean
  readonly quiesced: boolean
  /** Absent: made with other tools. */
  readonly mark?: Mark
  readonly disks: readonly DiskContent[]
}

/** Snapshots that people keep, as a hypervisor has them. */
export interface SnapshotHost {
  /** Oldest first. NOT_FOUND: no such machine. */
  keptSnapshots(machine: string, options: CallOptions): Promise<readonly KeptSnapshot[]>
  /** One for each mark: the request may arrive twice. With memory nothing is quiesced. */
  keepSnapshot(
    machine: string,
    request: { readonly name: string; readonly memory: boolean; readonly quiesce: boolean },
    mark: Mark,
    options: CallOptions,
  ): Promise<KeptSnapshot>
  /** The disks become what they were. */
  revertTo(machine: string, snapshot: string, options: CallOptions): Promise<void>
  /** NOT_FOUND, as platforms answer, if it is gone. */
  dropSnapshot(machine: string, snapshot: string, options: CallOptions): Promise<void>
}

/** What of the platform the snapshots are made of. */
export interface SnapshotState {
  get(machine: string): { readonly kept: readonly KeptSnapshot[] }
  setKept(machine: string, kept: readonly KeptSnapshot[]): void
  contents(machine: string): readonly DiskContent[]
  /** All of a machine's disks are written anew. */
  setContents(machine: string, disks: readonly DiskContent[]): void
  /** A number that the platform has not given before. */
  nextNumber(): number
}

const firstTime = Date.UTC(2020, 0, 1)
const minute = 60_000

/** Without a clock, a minute passes from one snapshot to the next. */
export function newSnapshot(
  state: SnapshotState,
  clock: Clock | undefined,
  machine: string,
  about: Pick<KeptSnapshot, 'name' | 'memory' | 'quiesced' | 'mark'>,
): KeptSnapshot {
  const number = state.nextNumber()
  const createdAt = new Date(clock ? clock.now() : firstTime + number * minute).toISOString()
  const made: KeptSnapshot = { id: `snapshot-${number}`, createdAt, ...about, disks: state.contents(machine) }
  state.setKept(machine, [...state.get(machine).kept, made])
  return made
}

export function keptSnapshotRequests({ read, write }: Requests, state: SnapshotState, clock: Clock | undefined): SnapshotHost {
  const one = (machine: string, id: string): KeptSnapshot => {
    const found = state.get(machine).kept.find((each) => each.id === id)
    if (!found) throw new HoldfastError('NOT_FOUND', `snapshot "${id}" is not on the platform`)
    return found
  }
  const drop = (machine: string, id: string) => {
    const gone = one(machine, id)
    state.setKept(
      machine,
      state.get(machine).kept.filter((each) => each !== gone),
    )
  }
  return {
    keptSnapshots: (machine, options) => read('snapshots.list', () => state.get(machine).kept, options),
    keepSnapshot: (machine, { name, memory, quiesce }, mark, options) =>
      write(
        'snapshots.keep',
        () =>
          state.get(machine).kept.find((each) => sameAttempt(each.mark, mark)) ??
          newSnapshot(state, clock, machine, { name, memory, quiesced: quiesce && !memory, mark }),
        options,
      ),
    revertTo: (machine, id, options) => write('snapshots.revert', () => state.setContents(machine, one(machine, id).disks), options),
    dropSnapshot: (machine, id, options) => write('snapshots.drop', () => drop(machine, id), options),
  }
}
