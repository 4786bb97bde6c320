import type { BackupSink, CallOptions, Receipt, RunContext, StreamItem } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import type { Lease } from '../lease/lease.ts'
import { downloadDevice } from '../transfer/download-device.ts'
import type { ExportFile } from './export-files.ts'
import { forAll } from './for-all.ts'

/** A file that is in the repository. */
export interface ReceivedFile extends ExportFile {
  readonly receipt: Receipt
}

export interface ReceiveOptions {
  /** What people call the machine. */
  readonly machine: string
  /** Files at once. */
  readonly parallel: number
  /** Which sum of the host the receipts are compared with. SHA-256 is made anyway. */
  readonly sums: 'sha1' | 'sha256'
}

/** How far all files are. Disks count with what the guest sees: how long a stream gets is known at its end. */
function createProgress(files: readonly ExportFile[], machine: string, lease: Lease, run: RunContext) {
  const sizeOf = ({ disk, url }: ExportFile): number => disk?.sizeBytes ?? url.fileSize ?? 0
  const total = files.reduce((sum, file) => sum + sizeOf(file), 0)
  const done = new Map<ExportFile, number>()
  return {
    bytes(file: ExportFile, count: number, finished = false): void {
      done.set(file, finished ? sizeOf(file) : Math.min((done.get(file) ?? 0) + count, sizeOf(file)))
      const fraction = total === 0 ? 0 : [...done.values()].reduce((sum, one) => sum + one, 0) / total
      lease.progress(fraction)
      run.step(`reading ${file.disk?.name ?? file.name} of ${machine}`, fraction)
    },
  }
}

type Progress = ReturnType<typeof createProgress>

function openFile(connection: Connection, lease: Lease, file: ExportFile, machine: string, progress: Progress, options: CallOptions) {
  return downloadDevice(connection, {
    url: file.url,
    what: `${file.disk?.name ?? file.name} of ${machine}`,
    signal: AbortSignal.any([options.signal, lease.signal]),
    onBytes: (count) => progress.bytes(file, count),
  })
}

function itemOf({ name, disk }: ExportFile, sums: ReceiveOptions['sums'], open: StreamItem['open']): StreamItem {
  const common = { name, open, ...(sums === 'sha1' && { digests: ['sha1' as const] }) }
  if (disk === undefined) return { ...common, format: 'bytes' }
  return { ...common, format: 'vmdk', disk: { key: disk.key, name, size: disk.sizeBytes } }
}

/**
 * Reads all files of a lease into the repository.
 * @throws What the sink rejects with; when the host has broken off, what it says in the lease.
 */
export async function receiveFiles(
  connection: Connection,
  lease: Lease,
  files: readonly ExportFile[],
  sink: BackupSink,
  run: RunContext,
  options: ReceiveOptions,
): Promise<readonly ReceivedFile[]> {
  const { machine, parallel, sums } = options
  const progress = createProgress(files, machine, lease, run)
  const receipts = new Map<ExportFile, Receipt>()
  const receive = async (file: ExportFile, outer: CallOptions): Promise<void> => {
    const open = ({ signal }: CallOptions) =>
      openFile(connection, lease, file, machine, progress, { signal: AbortSignal.any([signal, outer.signal]) })
    receipts.set(file, await sink.stream(itemOf(file, sums, open)))
    progress.bytes(file, 0, true)
  }
  try {
    await forAll(files, parallel, receive, run)
  } catch (error) {
    throw run.signal.aborted ? error : await lease.whyFailed(error, run)
  }
  return files.flatMap((file) => {
    const receipt = receipts.get(file)
    return receipt === undefined ? [] : [{ ...file, receipt }]
  })
}
