import { type BackupResult, HoldfastError, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { type Lease, openLease } from '../lease/lease.ts'
import { againWhile, busy } from '../machine-task.ts'
import { createSnapshot, isQuiesceFault } from '../snapshots/create-snapshot.ts'
import type { FoundSnapshot } from '../snapshots/snapshot-tree.ts'
import { removeSnapshotKind } from '../snapshots/undo-snapshot.ts'
import { isFault } from '../vim25/faults.ts'
import { nameOf } from '../vim25/host-requests.ts'
import type { MoRef } from '../vim25/values.ts'
import type { BackupOptions } from './backup-options.ts'

/** A machine that can be read. The holder disposes the lease. */
export interface OpenExport {
  readonly lease: Lease
  /** What is read; undefined: the machine itself, which is off. */
  readonly snapshot: MoRef<'VirtualMachineSnapshot'> | undefined
  readonly consistency: BackupResult['consistency']
}

/** A snapshot of the backup that was made before it was known how the machine is read. */
export interface TakenSnapshot {
  readonly snapshot: FoundSnapshot
  /** The machine was off, before and after. */
  readonly off: boolean
}

type LeaseRef = MoRef<'HttpNfcLease'>

/** Undefined: it is not off (any more). */
async function exportMachine(connection: Connection, { ref, name }: FoundMachine, run: RunContext): Promise<LeaseRef | undefined> {
  const { signal } = run
  const ask = () => connection.session.call('ExportVm', ref, {}, { signal, name })
  try {
    return await againWhile(connection, busy, ask, { signal })
  } catch (error) {
    if (isFault(error, 'InvalidPowerState')) return undefined
    throw error
  }
}

async function exportSnapshot(connection: Connection, { name }: FoundMachine, snapshot: OpenExport['snapshot'] & MoRef, run: RunContext) {
  const { signal } = run
  const ask = () => connection.session.call('ExportSnapshot', snapshot, {}, { signal, name })
  try {
    return await againWhile(connection, busy, ask, { signal })
  } catch (error) {
    if (!isFault(error, 'NotSupported') && !isFault(error, 'MethodNotFound')) throw error
    throw new HoldfastError(
      'UNSUPPORTED',
      `${nameOf(connection.settings)} exports no snapshots, so ${name} cannot be exported while it is not off.`,
      { cause: error, remedy: 'Switch the machine off for the backup, or back it up through the vCenter server that manages this host.' },
    )
  }
}

const quiesceFailed = (name: string, cause: unknown): HoldfastError =>
  new HoldfastError('PROVIDER_FAILED', `The guest of ${name} did not flush its disks when it was asked to.`, {
    cause,
    retryable: true,
    remedy: 'Look at the log of the tools in the guest, or set quiesce to "try" or "never".',
  })

const notQuiesced = (name: string, why: string): string =>
  `The guest of ${name} was not flushed: ${why}. The backup is as after a power cut, all disks at one moment.`

async function takeSnapshot(connection: Connection, machine: FoundMachine, quiesce: boolean, run: RunContext): Promise<FoundSnapshot> {
  const { plan, run: key, attempt } = run.mark
  const name = ['holdfast', ...(plan === '' ? [] : [plan]), `${key}.${attempt}`].join(' ')
  const intent = await run.intend(removeSnapshotKind, { vm: machine.id, name })
  run.step(`making a snapshot of ${machine.name}`)
  const wanted = { name, memory: false, quiesce, marked: { purpose: 'backup' as const, mark: run.mark } }
  const snapshot = await createSnapshot(connection, machine.ref, wanted, run)
  await intent.update({ vm: machine.id, name, snapshot: snapshot.ref.value })
  return snapshot
}

/** A marked snapshot, quiesced as wanted. It is not removed here: it goes when the engine undoes the intent, after the commit or when the attempt has failed. */
export async function snapshotOf(connection: Connection, machine: FoundMachine, wanted: BackupOptions['quiesce'], run: RunContext) {
  const { name, powerState, toolsRunning } = machine
  const running = powerState === 'poweredOn'
  if (wanted === 'never' || !running) return takeSnapshot(connection, machine, false, run)
  if (wanted === 'require' && !toolsRunning) throw quiesceFailed(name, new Error('its tools do not run'))
  try {
    const snapshot = await takeSnapshot(connection, machine, toolsRunning, run)
    if (snapshot.quiesced) return snapshot
    if (wanted === 'require') throw quiesceFailed(name, new Error('the host says that the snapshot is not quiesced'))
    run.note('warning', 'SNAPSHOT_NOT_QUIESCED', notQuiesced(name, toolsRunning ? 'the host says so' : 'its tools do not run'))
    return snapshot
  } catch (error) {
    if (!isQuiesceFault(error)) throw error
    if (wanted === 'require') throw quiesceFailed(name, error)
    run.note('warning', 'SNAPSHOT_NOT_QUIESCED', notQuiesced(name, (error as Error).message.replace(/\.$/, '')))
    return takeSnapshot(connection, machine, false, run)
  }
}

/**
 * Opens a machine for reading: itself when it is off, otherwise a marked snapshot of it, which an intent removes.
 * @param taken Read this one, if a snapshot is read.
 * @throws UNSUPPORTED: the host exports no snapshots, or its licence is for reading only. IN_USE: another task holds the machine. PROVIDER_FAILED: the guest did not
 * flush though that was required. What the lease failed with.
 */
export async function openExport(
  connection: Connection,
  machine: FoundMachine,
  { quiesce }: BackupOptions,
  run: RunContext,
  taken?: TakenSnapshot,
): Promise<OpenExport> {
  const { name, powerState } = machine
  const own = powerState === 'poweredOff' ? await exportMachine(connection, machine, run) : undefined
  const { signal } = run
  if (own !== undefined) return { lease: await openLease(connection, own, { name, signal }), snapshot: undefined, consistency: 'off' }
  const snapshot = taken?.snapshot ?? (await snapshotOf(connection, machine, quiesce, run))
  const ref = await exportSnapshot(connection, machine, snapshot.ref, run)
  return {
    lease: await openLease(connection, ref, { name, signal }),
    snapshot: snapshot.ref,
    consistency: snapshot.quiesced ? 'quiesced' : 'crash',
  }
}
