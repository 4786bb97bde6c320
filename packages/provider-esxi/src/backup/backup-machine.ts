import {
  type BackupRequest,
  type BackupResult,
  type BackupSink,
  bytesOf,
  HoldfastError,
  type Json,
  type RunContext,
} from '@holdfast/core/spec'
import { backupTrackedMachine } from '../changed-areas/backup-tracked-machine.ts'
import type { Connection } from '../connection.ts'
import { backupFlatMachine } from '../flat/backup-flat-machine.ts'
import { findMachine } from '../inventory/find-machine.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import { writeManifest } from '../ovf/manifest.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { type BackupOptions, parseBackupOptions } from './backup-options.ts'
import { compareSums } from './compare-sums.ts'
import { describeExport } from './describe-export.ts'
import { type PointDescription, sourceOf } from './describe-point.ts'
import { type ExportPlan, fileNameOf, isIndependent, planExport } from './export-files.ts'
import { type OpenExport, openExport, type TakenSnapshot } from './open-export.ts'
import { type ReceivedFile, receiveFiles } from './receive-files.ts'

function refuseObstacles({ settings }: Connection, { name, obstacles }: FoundMachine): void {
  const stopping = obstacles.filter(({ stops }) => stops)
  if (stopping.length === 0) return
  throw new HoldfastError(
    stopping.every(({ kind }) => kind === 'question' || kind === 'foreign-snapshot') ? 'IN_USE' : 'UNSUPPORTED',
    `${name} on ${nameOf(settings)} cannot be backed up as it is. ${stopping.map(({ message }) => message).join(' ')}`,
    { remedy: 'Mend what the message names; nothing was changed.', details: stopping.map(({ kind, message }) => ({ kind, message })) },
  )
}

/** A disk that no snapshot holds is in no point of a machine that is not off. Nobody should have to look for that. */
function tellLeftOut({ settings }: Connection, { name, disks, powerState }: FoundMachine, run: RunContext): void {
  const left = powerState === 'poweredOff' ? [] : disks.filter(isIndependent)
  if (left.length === 0) return
  const which = left.map((disk) => `${disk.name} (${disk.slot})`).join(', ')
  if (left.length === disks.length)
    throw new HoldfastError('UNSUPPORTED', `A backup of ${name} on ${nameOf(settings)} would hold no disk: ${which}, all independent.`, {
      remedy: 'Make its disks dependent, or back it up while it is off.',
    })
  const why = 'It is independent, so no snapshot holds it. Make it dependent, or back the machine up while it is off.'
  run.note('warning', 'DISK_LEFT_OUT', `The point of ${name} will not hold ${which}. ${why}`)
}

interface Read {
  readonly plan: ExportPlan
  readonly received: readonly ReceivedFile[]
  readonly descriptor: string
}

async function readExport(
  connection: Connection,
  machine: FoundMachine,
  { lease, snapshot }: OpenExport,
  { images, parallel }: BackupOptions,
  sink: BackupSink,
  run: RunContext,
): Promise<Read> {
  const plan = planExport(lease.urls, machine.disks, { machine: machine.name, images, snapshot: snapshot !== undefined })
  const sums = (await lease.askForSha256(run)) ? 'sha256' : 'sha1'
  const received = await receiveFiles(connection, lease, plan.files, sink, run, { machine: machine.name, parallel, sums })
  const manifest = await lease.manifest(run)
  compareSums(received, manifest, run)
  await lease.complete(run)
  const descriptor = await describeExport(connection, { machine, snapshot, received, manifest }, run)
  return { plan, received, descriptor }
}

/** The descriptor, and the list of sums last. A list that names a file which is not kept as it came would be wrong. */
async function storeTexts(
  name: string,
  { received, descriptor }: Read,
  sink: BackupSink,
): Promise<Pick<PointDescription, 'descriptor' | 'manifest'>> {
  const ovf = `${name}.ovf`
  const receipt = await sink.stream({ format: 'bytes', name: ovf, open: async () => bytesOf(descriptor) })
  const files = [{ name: ovf, receipt }, ...received]
  if (!files.every((one) => one.receipt.kept)) return { descriptor: ovf }
  const text = writeManifest(files.map((one) => ({ name: one.name, algorithm: 'SHA256', digest: one.receipt.sha256 })))
  await sink.stream({ format: 'bytes', name: `${name}.mf`, open: async () => bytesOf(text) })
  return { descriptor: ovf, manifest: `${name}.mf` }
}

function describe(
  connection: Connection,
  machine: FoundMachine,
  received: readonly ReceivedFile[],
  texts: Pick<PointDescription, 'descriptor' | 'manifest'>,
): PointDescription {
  const files = received.map(({ name, url, disk }) => [name, { device: url.key, ...(disk !== undefined && { disk: disk.key }) }] as const)
  return {
    v: 1,
    ...texts,
    files: Object.fromEntries(files),
    source: sourceOf(connection, machine),
  }
}

async function backupExport(
  connection: Connection,
  machine: FoundMachine,
  options: BackupOptions,
  sink: BackupSink,
  run: RunContext,
  taken: TakenSnapshot | undefined,
): Promise<BackupResult> {
  const open = await openExport(connection, machine, options, run, taken)
  const read = await readExport(connection, machine, open, options, sink, run).finally(() => open.lease[Symbol.asyncDispose]())
  const texts = await storeTexts(fileNameOf(machine.name), read, sink)
  const description = describe(connection, machine, read.received, texts)
  return {
    description: description as unknown as Json,
    machine: machine.machine,
    consistency: open.consistency,
    skipped: read.plan.skipped,
  }
}

/**
 * Backs a machine up as an OVF package: all disks as streamOptimized VMDK, NVRAM, images in its drives, a descriptor with true sizes, and a list of sums last. With
 * a base the disks come the same way, and the engine keeps what has changed. A machine that is not off is read from a snapshot, which an intent removes. With the
 * mode `vmdk` see `backupFlatMachine`, with changed areas `backupTrackedMachine`.
 * @throws UNSUPPORTED or IN_USE: something about the machine stops a backup; nothing was made. NOT_FOUND: no such machine. What `openExport`, `receiveFiles`,
 * `compareSums` and `describeExport` throw. An aborted signal rejects with its reason; the lease is given up on every path.
 */
export async function backupMachine(
  connection: Connection,
  request: BackupRequest,
  sink: BackupSink,
  run: RunContext,
): Promise<BackupResult> {
  const options = parseBackupOptions(request.options)
  const machine = await findMachine(connection, request.workload, run)
  refuseObstacles(connection, machine)
  tellLeftOut(connection, machine, run)
  const whole = (taken?: TakenSnapshot) =>
    options.mode === 'vmdk'
      ? backupFlatMachine(connection, machine, options, sink, run, taken)
      : backupExport(connection, machine, options, sink, run, taken)
  if (options.experimental?.changedAreas !== true) return whole()
  return backupTrackedMachine({ connection, machine, options, base: request.base, sink, run, whole })
}
