import {
  type BackupRequest,
  type BackupResult,
  type BackupSink,
  codeOf,
  HoldfastError,
  type Receipt,
  type RunContext,
} from '@holdfast/core/spec'
import { sha1, sha256, text } from '../bytes.ts'
import { joinClusters, memoryBlocks, memoryMappedBlocks } from '../memory-blocks.ts'
import { bytesOfDisk, type DiskContent, digestOfDisks } from '../memory-platform/content.ts'
import type { MemoryMachine } from '../memory-platform/machine-host.ts'
import type { MemoryPlatform } from '../memory-platform/memory-platform.ts'
import { vmdkOf } from '../vmdk-bytes.ts'

/** How one shape of hypervisor gives its bytes. */
export type MachineBackup = (platform: MemoryPlatform, request: BackupRequest, sink: BackupSink, run: RunContext) => Promise<BackupResult>

async function machineOf(platform: MemoryPlatform, id: string, run: RunContext): Promise<MemoryMachine> {
  const machine = (await platform.machines.list(run)).find((other) => other.id === id)
  if (!machine) throw new HoldfastError('NOT_FOUND', `there is no machine "${id}"`)
  return machine
}
const about = ({ key, name, size }: DiskContent) => ({ key, name, size })

/** A snapshot, one streamOptimized VMDK after the other, checked against the server's manifest; descriptor and `.mf` come last. */
export const esxiLike: MachineBackup = async (platform, { workload }, sink, run) => {
  const machine = await machineOf(platform, workload, run)
  const snapshot = `holdfast ${run.mark.plan} ${run.mark.run}.${run.mark.attempt} ${platform.ids.next()}`
  await run.intend('remove-snapshot', { machine: workload, snapshot }) // undone after the commit: a slow removal delays no point
  const disks = await platform.machines.createSnapshot(workload, snapshot, run.mark, run)
  const files = [
    ...disks.map((disk) => ({ path: `${machine.name}-${disk.key}.vmdk`, bytes: vmdkOf(bytesOfDisk(disk)), disk })),
    { path: `${machine.name}.nvram`, bytes: text(`nvram of ${workload}`), disk: undefined },
  ]
  const received: { path: string; receipt: Receipt }[] = []
  for (const { path, bytes, disk } of files) {
    const item = { name: path, digests: ['sha1'] as const }
    const receipt = disk
      ? await sink.stream({ ...item, format: 'vmdk', disk: about(disk), open: async (options) => platform.stream(bytes, true, options) })
      : await sink.stream({ ...item, format: 'bytes', open: async (options) => platform.stream(bytes, false, options) })
    if (receipt.size !== bytes.length || receipt.sha1 !== sha1(bytes)) {
      throw new HoldfastError('CHECKSUM_MISMATCH', `file "${path}" is not what the server's manifest says`)
    }
    received.push({ path, receipt })
  }
  const descriptor = `${machine.name}.ovf`
  const refs = received.map(({ path, receipt }) => `<File href="${path}" size="${receipt.size}"/>`)
  const ovf = text(`<Envelope>${refs.join('')}</Envelope>`)
  await sink.stream({ format: 'bytes', name: descriptor, open: async (options) => platform.stream(ovf, false, options) })
  if (received.every(({ receipt }) => receipt.kept)) {
    const lines = [`SHA256(${descriptor})= ${sha256(ovf)}`, ...received.map(({ path, receipt }) => `SHA256(${path})= ${receipt.sha256}`)]
    await sink.stream({
      format: 'bytes',
      name: `${machine.name}.mf`,
      open: async (options) => platform.stream(text(`${lines.join('\n')}\n`), false, options),
    })
  }
  return { description: { v: 1, digest: digestOfDisks(disks), descriptor }, machine: machine.machine, consistency: 'crash', skipped: [] }
}

/** All disks at once, read by position by several readers; the platform knows what changed since its checkpoint, until it forgets. */
export const ovirtLike: MachineBackup = async (platform, { workload, base }, sink, run) => {
  const { machine } = await machineOf(platform, workload, run)
  const from = typeof base?.checkpoint === 'string' ? base.checkpoint : undefined
  const id = `backup-${platform.ids.next()}`
  const open = await run.intend('finalize-backup', { machine: workload, backup: id })
  const { disks, checkpoint } = await lostAs(/^checkpoint "/, () => platform.machines.startBackup(workload, id, from, run.mark, run))
  if (from !== undefined) await platform.machines.deleteCheckpointsBefore(workload, from, run.mark, run)
  const known = new Set(base?.disks.map(({ key }) => key))
  const put = ({ content, mode }: (typeof disks)[number]) => {
    if (mode === 'full' || !known.has(content.key)) {
      const reason = base ? { reason: 'no checkpoint of this disk' } : {}
      const openAll = async () => memoryMappedBlocks(bytesOfDisk(content), { readers: 4 })
      return sink.blocks({ disk: about(content), covers: 'all', ...reason, open: openAll })
    }
    return sink.blocks({
      disk: about(content),
      covers: 'changes',
      async open(options) {
        const dirty = await lostAs(
          /^bitmap of/,
          () => platform.machines.dirtyClusters(workload, id, content.key, options),
          async () => {
            if (from !== undefined) await platform.machines.deleteCheckpoint(workload, from, options)
          },
        )
        const clusters = dirty.map((index) => ({ index, kind: content.clusters[index] ? ('data' as const) : ('zero' as const) }))
        return memoryMappedBlocks(bytesOfDisk(content), { readers: 4, extents: joinClusters(clusters, content.size) })
      },
    })
  }
  await Promise.all(disks.map(put))
  await open.undo()
  const digest = digestOfDisks(disks.map(({ content }) => content))
  return { description: { v: 1, digest }, machine, checkpoint, consistency: 'crash', skipped: [] }
}

/** What the platform says when it cannot build on the base becomes BASE_LOST; everything else stays as it is. */
async function lostAs<T>(said: RegExp, act: () => Promise<T>, first: () => Promise<void> = async () => {}): Promise<T> {
  try {
    return await act()
  } catch (error) {
    if (codeOf(error) !== 'PROVIDER_FAILED' || !said.test((error as Error).message)) throw error
    await first()
    throw new HoldfastError('BASE_LOST', (error as Error).message, { cause: error })
  }
}

/** Disks of which nothing is known but their bytes. */
export const rawDisk: MachineBackup = async (platform, { workload }, sink, run) => {
  const { machine } = await machineOf(platform, workload, run)
  const disks = await platform.machines.disksOf(workload, run)
  for (const disk of disks) await sink.blocks({ disk: about(disk), covers: 'unmapped', open: async () => memoryBlocks(bytesOfDisk(disk)) })
  return { description: { v: 1, digest: digestOfDisks(disks) }, machine, consistency: 'crash', skipped: [] }
}
