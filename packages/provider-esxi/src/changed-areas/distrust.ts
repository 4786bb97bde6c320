import type { CallOptions, RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { FlatDisk } from '../flat/flat-disks.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { againWhile, busy, runTask } from '../machine-task.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data } from '../vim25/values.ts'
import { parseChangeId } from './change-id.ts'
import { isReason, orReason, type Reason } from './reasons.ts'

/**
 * A setting of the machine, since it outlives all points and catalogs: the epochs of tracking that have missed a change, joined by `;`. Tracking that is begun anew has
 * another epoch.
 */
const key = 'holdfast.changedAreas.distrusted'
/** Those of machines with more disks than this have would only make the setting longer. */
const mostEpochs = 64

export const howToReset =
  'Switch the tracking of its changes off (ctkEnabled in its settings), make and remove a snapshot, and let the next backup switch it on'

/** Undefined: it cannot be read, which is not the same as none. */
async function readDistrusted(
  { session }: Connection,
  { ref }: FoundMachine,
  options: CallOptions,
): Promise<readonly string[] | undefined> {
  const { values, missing } = await retrieveOne(session, ref, ['config.extraConfig'], options)
  if (missing.includes('config.extraConfig')) return undefined
  const settings = (values['config.extraConfig'] ?? []) as readonly Data<'OptionValue'>[]
  const text = settings.find((one) => one.key === key)?.value
  return typeof text === 'string' ? text.split(';').filter((epoch) => epoch !== '') : []
}

const unreadable = 'the account may not read the settings of the machine, so it is not known whether its tracking is to be believed'

const epochOf = ({ changeId }: FlatDisk): string => parseChangeId(changeId)?.epoch ?? ''

/** Why the tracking of these disks is not believed any more. */
export async function whyDistrusted(
  connection: Connection,
  machine: FoundMachine,
  disks: readonly FlatDisk[],
  options: CallOptions,
): Promise<Reason | undefined> {
  const distrusted = await readDistrusted(connection, machine, options)
  if (distrusted === undefined) return unreadable
  const disk = disks.find((one) => distrusted.includes(epochOf(one)))
  return disk && `the tracking of ${disk.name} has missed changes before, and was not begun anew. ${howToReset}`
}

/** Notes on the machine that the tracking of these disks has missed a change. @returns Why that could not be noted. */
export async function distrust(
  connection: Connection,
  machine: FoundMachine,
  disks: readonly FlatDisk[],
  run: RunContext,
): Promise<Reason | undefined> {
  const { ref, name } = machine
  const { signal } = run
  const known = await readDistrusted(connection, machine, run)
  if (known === undefined) return unreadable
  const epochs = [...new Set([...known, ...disks.map(epochOf)])].slice(-mostEpochs)
  const spec = { extraConfig: [{ key, value: epochs.join(';') }] }
  const done = await orReason(
    () => againWhile(connection, busy, () => runTask(connection, 'ReconfigVM_Task', ref, { spec }, { signal, name }), { signal }),
    run,
  )
  return isReason(done) ? done.why : undefined
}
