import {
  type CallOptions,
  HoldfastError,
  type Intent,
  type OpenIntent,
  type Provider,
  type RestoreRequest,
  type RestoreResult,
  type RestoreSource,
  type RunContext,
  type StoredDisk,
} from '@holdfast/core/spec'
import { readAll } from '../bytes.ts'
import { sameAttempt, sameRun } from '../memory-platform/content.ts'
import { type MachineHost, madeBy } from '../memory-platform/machine-host.ts'
import { diskOfVmdk } from '../vmdk-bytes.ts'
import { member } from './parse-options.ts'

/**
 * Restore, undo, delivered and leftovers of every hypervisor shape: disks and machine are made unfinished under names of the attempt; taking
 * the final name delivers them, all at once. A test copy never takes it.
 */
export function machineRestore(host: MachineHost, name: string): Required<Pick<Provider, 'restore' | 'undo' | 'delivered' | 'leftovers'>> {
  return {
    restore: (request, source, run) => restore(host, request, source, run),
    undo: (intent, options) => undo(host, intent, options),
    async delivered(run, options) {
      const machine = madeBy(await host.list(options), run).find(({ unfinished }) => !unfinished)
      return machine && { workload: machine.id }
    },
    async *leftovers(options) {
      const about = { provider: name, kept: false }
      const machines = await host.list(options)
      for (const { id, name: machine, mark, unfinished, snapshots, backups } of machines) {
        for (const snapshot of snapshots) {
          const data = { machine: id, snapshot: snapshot.name }
          yield { ...about, id: `leftover-${snapshot.name}`, kind: 'remove-snapshot', data, mark: snapshot.mark }
        }
        for (const backup of backups) {
          yield {
            ...about,
            id: `leftover-${backup.id}`,
            kind: 'finalize-backup',
            data: { machine: id, backup: backup.id },
            mark: backup.mark,
          }
        }
        if (unfinished && mark) yield { ...about, id: `leftover-${id}`, kind: 'remove-machine', data: { name: machine }, mark }
      }
      for (const { id, mark, unfinished } of await host.disks(options)) {
        const attached = machines.some(({ disks }) => disks.includes(id))
        if (unfinished && mark && !attached) yield { ...about, id: `leftover-${id}`, kind: 'remove-disk', data: { disk: id }, mark }
      }
    },
  }
}

async function restore(host: MachineHost, request: RestoreRequest, source: RestoreSource, run: RunContext): Promise<RestoreResult> {
  if (!source.machine) throw new HoldfastError('UNSUPPORTED', `point ${source.point} holds no machine`)
  if (request.target !== undefined || request.purpose === 'replica') {
    throw new HoldfastError('UNSUPPORTED', `restore of "${request.name}" in place of a machine; a new one is supported`)
  }
  if (request.purpose === 'recover') await refuseTakenName(host, request.name, run)
  const attempt = `${request.name}.${run.mark.run}.${run.mark.attempt}`
  const kept: OpenIntent[] = []
  const disks: string[] = []
  for (const disk of source.disks) {
    const id = `${attempt}-${disk.key}`
    kept.push(await run.intend('remove-disk', { disk: id }))
    await host.createDisk(id, disk, run.mark, run)
    run.step(`writing ${disk.name}`)
    await send(host, id, disk, run)
    disks.push(id)
  }
  kept.push(await run.intend('remove-machine', { name: attempt }))
  const workload = await host.createMachine(attempt, source.machine, disks, run.mark, run)
  if (request.purpose === 'recover') await deliver(host, workload, request.name, run)
  for (const intent of kept) intent.keep()
  if (request.start) await host.powerOn(workload, run)
  return { workload }
}

async function refuseTakenName(host: MachineHost, name: string, run: RunContext): Promise<void> {
  const holder = (await host.list(run)).find((machine) => machine.name === name)
  if (!holder) return
  // Delivered by an earlier attempt of this run: the next attempt's probe finds it.
  const retryable = sameRun(holder.mark, run.mark)
  throw new HoldfastError('NAME_TAKEN', `a machine named "${name}" is there already`, { retryable })
}

async function deliver(host: MachineHost, machine: string, name: string, run: RunContext): Promise<void> {
  try {
    await host.deliver(machine, name, run)
  } catch (error) {
    if (HoldfastError.isInstance(error) && error.code === 'NAME_TAKEN') await refuseTakenName(host, name, run)
    throw error
  }
}

/** From the kept file if there is one, otherwise by position, four pieces at a time. */
async function send(host: MachineHost, id: string, disk: StoredDisk, run: RunContext): Promise<void> {
  if (disk.file?.format === 'vmdk') {
    const bytes = diskOfVmdk(await readAll(await disk.file.open(run), run), disk.size)
    return host.writeDisk(id, 0, bytes, run)
  }
  const blocks = await disk.open(run)
  try {
    const buffer = new Uint8Array(1 << 20)
    for await (const { offset, length, kind } of blocks.extents(run)) {
      for (let at = offset; kind === 'data' && at < offset + length; at += buffer.length) {
        const part = buffer.subarray(0, Math.min(buffer.length, offset + length - at))
        await blocks.readInto(part, at, run)
        await host.writeDisk(id, at, part, run)
      }
    }
  } finally {
    await blocks[Symbol.asyncDispose]()
  }
}

async function undo(host: MachineHost, intent: Intent, options: CallOptions): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const { data, kind, mark } = intent
  if (kind === 'remove-machine') return removeMachine(host, member(data, 'name'), intent, options)
  if (kind === 'remove-disk') return removeDisk(host, member(data, 'disk'), intent, options)
  if (kind !== 'remove-snapshot' && kind !== 'finalize-backup')
    throw new HoldfastError('UNSUPPORTED', `intents of kind "${kind}" are not ours`)
  const machine = (await host.list(options)).find(({ id }) => id === member(data, 'machine'))
  if (kind === 'remove-snapshot') {
    if (machine) await host.removeSnapshot(machine.id, member(data, 'snapshot'), mark, options)
  } else {
    const going = machine?.backups.some((backup) => backup.id === member(data, 'backup') && sameAttempt(backup.mark, mark))
    if (machine && going) await host.finalizeBackup(machine.id, member(data, 'backup'), options)
  }
  return 'undone'
}

async function removeMachine(
  host: MachineHost,
  name: string,
  { mark }: Intent,
  options: CallOptions,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const own = async () => madeBy(await host.list(options), mark).filter((machine) => sameAttempt(machine.mark, mark))
  const before = await own()
  // Addressed by the attempt's name: if it is delivered just now, this hits nothing.
  if (before.some((machine) => machine.unfinished && machine.name === name)) await host.removeMachineNamed(name, options)
  const delivered = (before.some(({ unfinished }) => !unfinished) ? before : await own()).find(({ unfinished }) => !unfinished)
  return delivered ? { delivered: { workload: delivered.id } } : 'undone'
}

async function removeDisk(
  host: MachineHost,
  id: string,
  { mark }: Intent,
  options: CallOptions,
): Promise<'undone' | { readonly delivered: RestoreResult }> {
  const disk = (await host.disks(options)).find((other) => other.id === id && sameAttempt(other.mark, mark))
  if (!disk) return 'undone'
  const machine = (await host.list(options)).find(({ disks }) => disks.includes(id))
  if (machine) return machine.unfinished ? 'undone' : { delivered: { workload: machine.id } } // the machine's own intent removes both
  await host.removeDisk(id, options)
  return 'undone'
}
