import {
  HoldfastError,
  type OpenIntent,
  type RestoreRequest,
  type RestoreResult,
  type RestoreSource,
  type RunContext,
} from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { type Marked, withMark } from '../mark.ts'
import { openPointPackage } from '../ovf/point-package.ts'
import { findTarget, type ReplicaTarget } from '../replica/replica-target.ts'
import { swapReplica } from '../replica/swap-replica.ts'
import type { XmlElement } from '../vim25/xml.ts'
import { attemptName } from './attempt-name.ts'
import { checkParts } from './check-parts.ts'
import { choosePlaces, requireSpace } from './choose-places.ts'
import { createImportSpec } from './create-import-spec.ts'
import { finishMachine } from './finish-machine.ts'
import { importMachine } from './import-machine.ts'
import { changedSpec } from './import-spec.ts'
import { type MappedNetworks, mapNetworks } from './map-networks.ts'
import type { WholeMachine } from './own-machine.ts'
import { requireFreeName } from './require-free-name.ts'
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts'
import type { RestorePackage } from './restore-package.ts'
import { startRestored } from './start-restored.ts'
import { removeMachineKind } from './undo-restore.ts'

/** Only what is new is made; of what is there only a replica is replaced. */
function refuseForms({ purpose, target, start }: RestoreRequest): void {
  if (target !== undefined && purpose !== 'replica')
    throw new HoldfastError('UNSUPPORTED', 'A machine of VMware is not restored in the place of another one.', {
      remedy: 'Restore it under a new name beside the old one, and remove that when the new one works.',
      details: { target },
    })
  if (start && purpose === 'replica')
    throw new HoldfastError('UNSUPPORTED', 'A replica is kept off: it is not started when it is made.', {
      remedy: 'Leave out start. Switch it on when it is to take over.',
    })
}

function neededBytes({ ovf, parts }: RestorePackage, { diskProvisioning }: RestoreOptions): number {
  const thick = ovf.disks.reduce((sum, { capacity }) => sum + capacity, 0)
  return diskProvisioning === 'thin' ? parts.reduce((sum, { dataBytes }) => sum + dataBytes, 0) : thick
}

/** What is made of a point, and out of what. */
interface Plan {
  readonly request: RestoreRequest
  readonly options: RestoreOptions
  readonly content: RestorePackage
  /** The replica that it will take the place of. */
  readonly old: ReplicaTarget | undefined
}

/** What the host made of the descriptor, as this machine is to be. */
function specOf(spec: XmlElement, { request, options }: Plan, networks: MappedNetworks, { mark }: RunContext): XmlElement {
  // Copies for tests, and replicas, have no network but what the options map.
  const cut = request.purpose !== 'recover'
  const connected = new Set(networks.asked.flatMap(({ ref, key }) => (key === undefined ? [ref.value] : [ref.value, key])))
  return changedSpec(spec, {
    annotation: (current) => withMark(current, { purpose: 'machine-unfinished', mark }),
    newIdentity: options.newIdentity || request.purpose === 'test',
    // The original may be on the same vCenter server; to the guest a replica is the original.
    newInstance: request.purpose === 'replica',
    ...(cut && { connected: (network) => network !== undefined && connected.has(network) }),
  })
}

/** A whole machine under the name of its attempt, and the intent that removes it. */
interface Made {
  readonly whole: WholeMachine
  readonly intent: OpenIntent
}

async function makeMachine(connection: Connection, plan: Plan, run: RunContext): Promise<Made> {
  const { request, options, content, old } = plan
  await checkParts(content.parts, run)
  const places = await choosePlaces(connection, options, run, old)
  requireSpace(places, neededBytes(content, options), options)
  const names = content.ovf.networks.map(({ name }) => name)
  const rules = { given: options.networks, isolated: request.purpose !== 'recover', inPlace: request.purpose === 'replica' }
  const networks = mapNetworks(names, places.networks, { ...rules, at: places.at })
  if (old === undefined) await requireFreeName(connection, request.name, run)
  const name = attemptName(old?.name ?? request.name, run.mark)
  const { spec, items } = await createImportSpec(connection, { descriptor: content.descriptor, name, places, networks, options }, run)
  const marked = specOf(spec, plan, networks, run)
  const intent = await run.intend(removeMachineKind, { machine: name })
  const ref = await importMachine(connection, { name, places, spec: marked, items, parts: content.parts }, run)
  return { whole: { ref, name }, intent }
}

/** A copy for tests stays unfinished: it is undone after its probe. */
function finishedMark({ purpose }: RestoreRequest, { point }: RestoreSource, { mark }: RunContext): Marked | undefined {
  if (purpose === 'test') return undefined
  return purpose === 'replica' ? { purpose, mark, point } : { purpose: 'machine', mark }
}

/**
 * Makes a machine of a point, under a new name. Everything that can be checked is checked before anything is made; the machine is unfinished, and says so, until its
 * last byte has been proven. It is under the intent `remove-machine`.
 *
 * A replica stays off, and records the point that it holds. One that is there (`target`) is left as it is until the new one is whole, which then takes its place, its
 * name and its id, under the intent `swap-replica`; where it already holds the point nothing is done.
 *
 * Nothing is repeated in here: what may pass is retryable, and is tried again by another attempt.
 * @throws INVALID_OPTIONS: a place or network that is not there, or several and none chosen. NAME_TAKEN. UNSUPPORTED: what the host refuses, with all its errors and
 * warnings; a target that is no replica. IN_USE: a target that is on. POINT_DAMAGED, CHECKSUM_MISMATCH. DISK_FULL: the datastore. UNREACHABLE, ACCESS_DENIED, STALLED,
 * PROVIDER_FAILED.
 */
export async function restoreMachine(
  connection: Connection,
  request: RestoreRequest,
  source: RestoreSource,
  run: RunContext,
): Promise<RestoreResult> {
  const options = parseRestoreOptions(request.options)
  refuseForms(request)
  const old = request.target === undefined ? undefined : await findTarget(connection, { id: request.target, point: source.point }, run)
  if (old?.point === source.point) return { workload: old.id }
  const content = await openPointPackage(source, run)
  try {
    const { whole, intent } = await makeMachine(connection, { request, options, content, old }, run)
    const finish = { name: request.name, marked: finishedMark(request, source, run) }
    const result =
      old === undefined ? await finishMachine(connection, whole, finish, run) : await swapReplica(connection, whole, old, source.point, run)
    intent.keep()
    if (request.start) await startRestored(connection, { ref: whole.ref, name: request.name }, run)
    return result
  } finally {
    await content[Symbol.asyncDispose]()
  }
}
