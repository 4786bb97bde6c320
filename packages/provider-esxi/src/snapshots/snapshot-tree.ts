import { type CallOptions, HoldfastError } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { decodeName } from '../inventory/object-name.ts'
import { type Marked, readMark } from '../mark.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'

/** A snapshot as the tree of its machine shows it. */
export interface FoundSnapshot {
  /** Its reference on the host now; another one after the machine was registered anew. */
  readonly ref: MoRef<'VirtualMachineSnapshot'>
  /** As people know it. */
  readonly name: string
  /** Milliseconds since 1970-01-01 UTC, by the clock of the host. */
  readonly createdAt: number
  /** Grows with each snapshot of the machine. */
  readonly number: number
  readonly memory: boolean
  readonly quiesced: boolean
  readonly marked: Marked | undefined
}

/** A machine with its snapshots, whoever has made them. */
export interface SnapshotTree {
  /** What people call the machine. */
  readonly machine: string
  readonly powerState: Data<'InvalidPowerState'>['existingState'] | undefined
  readonly toolsRunning: boolean
  /** Oldest first. */
  readonly snapshots: readonly FoundSnapshot[]
}

/** Retention goes by this time: a wrong one must not pass for an old one. */
function timeOf(text: string, snapshot: string): number {
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new HoldfastError(
    'PROVIDER_FAILED',
    `The host gives the snapshot "${snapshot}" a time that cannot be read: ${JSON.stringify(text)}.`,
    {
      retryable: false,
    },
  )
}

function flatten(trees: readonly Data<'VirtualMachineSnapshotTree'>[]): readonly FoundSnapshot[] {
  return trees.flatMap(({ snapshot, name, description, id = 0, createTime, state, quiesced = false, childSnapshotList }) => [
    {
      ref: snapshot,
      name: decodeName(name),
      createdAt: timeOf(createTime, name),
      number: id,
      // After a return to it the machine would run, or be suspended, as it was.
      memory: state !== 'poweredOff',
      quiesced,
      marked: readMark(description),
    },
    ...flatten(childSnapshotList),
  ])
}

const paths = ['name', 'snapshot', 'runtime.connectionState', 'runtime.powerState', 'guest.toolsRunningStatus']

/**
 * Reads it as it is now. Which snapshot is the current one is not asked: a host may know none although there are some.
 * @throws NOT_FOUND: the machine has gone. UNREACHABLE: the host cannot read its files now, so that no snapshots would say nothing. ACCESS_DENIED: nor may the account.
 */
export async function readSnapshots(
  { session, settings }: Connection,
  vm: MoRef<'VirtualMachine'>,
  options: CallOptions,
): Promise<SnapshotTree> {
  const { values, missing } = await retrieveOne(session, vm, paths, options)
  const machine = decodeName(typeof values.name === 'string' ? values.name : vm.value)
  const state = values['runtime.connectionState']
  if (state !== 'connected')
    throw new HoldfastError(
      'UNREACHABLE',
      `${nameOf(settings)} cannot read the snapshots of ${machine} now: it is ${String(state ?? 'unknown')}.`,
      {
        remedy: 'Look whether its datastore is there and whether its host is connected.',
      },
    )
  if (missing.includes('snapshot'))
    throw new HoldfastError('ACCESS_DENIED', `The account may not read the snapshots of ${machine}.`, {
      remedy: 'Give the account the privilege System.Read on the machine.',
    })
  const info = values.snapshot as Data<'VirtualMachineSnapshotInfo'> | undefined
  const snapshots = flatten(info?.rootSnapshotList ?? [])
  return {
    machine,
    powerState: values['runtime.powerState'] as SnapshotTree['powerState'],
    toolsRunning: values['guest.toolsRunningStatus'] === 'guestToolsRunning',
    snapshots: snapshots.toSorted((one, other) => one.createdAt - other.createdAt || one.number - other.number),
  }
}
