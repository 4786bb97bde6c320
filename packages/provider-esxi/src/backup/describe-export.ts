import { type CallOptions, HoldfastError, oneLine, type RunContext } from '@holdfast/core/spec'
import type { Connection } from '../connection.ts'
import { isOf } from '../inventory/devices.ts'
import type { FoundMachine } from '../inventory/found-machine.ts'
import type { ManifestEntry } from '../lease/lease.ts'
import { checkOvf } from '../ovf/check-ovf.ts'
import type { Ovf } from '../ovf/ovf-types.ts'
import { parseOvf } from '../ovf/parse-ovf.ts'
import { withoutEmptyDisks } from '../ovf/without-empty-disks.ts'
import { nameOf } from '../vim25/host-requests.ts'
import { retrieveOne } from '../vim25/retrieve.ts'
import type { Data, MoRef } from '../vim25/values.ts'
import type { ReceivedFile } from './receive-files.ts'

/** What a descriptor is made for. */
export interface DescribedExport {
  readonly machine: FoundMachine
  readonly snapshot: MoRef<'VirtualMachineSnapshot'> | undefined
  readonly received: readonly ReceivedFile[]
  readonly manifest: readonly ManifestEntry[] | undefined
}

/** So that a restore gives the machine back as it was. */
const wantedOptions = ['mac', 'uuid', 'extraconfig']

async function exportOptions({ session }: Connection, manager: MoRef<'OvfManager'>, options: CallOptions): Promise<readonly string[]> {
  const { values } = await retrieveOne(session, manager, ['ovfExportOption'], options)
  const known = Array.isArray(values.ovfExportOption) ? values.ovfExportOption : []
  const names = known.flatMap((one: unknown) => (isOf(one, 'OvfOptionInfo') ? [one.option] : []))
  return wantedOptions.filter((wanted) => names.includes(wanted))
}

function ovfFile({ url, name, disk, receipt }: ReceivedFile, manifest: DescribedExport['manifest']): Data<'OvfFile'> {
  const entry = manifest?.find(({ key }) => key === url.key)
  const populated = entry?.populatedSize
  return {
    deviceId: url.key,
    path: name,
    // What really lies there: hosts, left alone, write the size of the whole machine.
    size: receipt.size,
    ...(disk !== undefined && { capacity: disk.sizeBytes }),
    ...(disk !== undefined && populated !== undefined && { populatedSize: populated }),
  }
}

const wordsOf = (faults: readonly Data<'LocalizedMethodFault'>[]): string =>
  faults.map(({ localizedMessage, fault }) => oneLine(localizedMessage ?? fault.$type ?? 'no reason given', 300)).join('; ')

function misfit(name: string, error: unknown): HoldfastError {
  const why = error instanceof Error ? error.message : String(error)
  return new HoldfastError('PROVIDER_FAILED', `The descriptor that the host has made of ${name} cannot be used: ${why}`, {
    cause: error,
    retryable: false,
    remedy: 'Report it with the version of the host.',
  })
}

/**
 * A descriptor of what is in the package alone. Proves that it and the files beside it belong together: every file that it names is there with its size, and every file is
 * named.
 */
function checkedDescriptor(made: string, { machine, received }: DescribedExport): string {
  let ovf: Ovf
  let text: string
  try {
    text = withoutEmptyDisks(made, `the descriptor of ${machine.name}`)
    ovf = parseOvf(text, { what: `the descriptor of ${machine.name}` })
    checkOvf(
      ovf,
      received.map(({ name, receipt }) => ({ name, size: receipt.size })),
      { what: `the descriptor of ${machine.name}` },
    )
  } catch (error) {
    throw misfit(machine.name, error)
  }
  for (const { name, disk } of received.filter((one) => one.disk !== undefined)) {
    const file = ovf.files.find(({ href }) => href === name)
    const described = ovf.disks.find(({ fileRef }) => fileRef === file?.id)
    if (file === undefined || described === undefined) throw misfit(machine.name, new Error(`it does not name the disk ${name}.`))
    if (disk !== undefined && described.capacity !== disk.sizeBytes)
      throw misfit(machine.name, new Error(`it says ${described.capacity} bytes of the disk ${name}, which has ${disk.sizeBytes}.`))
  }
  return text
}

/**
 * Lets the host describe what was exported, as an OVF descriptor that names the files by their names and true sizes, and proves that it does.
 * @throws PROVIDER_FAILED (not retryable): the host reports errors, or its descriptor does not fit the files. UNSUPPORTED: it makes none.
 *
 * Source: OvfManager.CreateDescriptor, https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.OvfManager.html#createDescriptor
 */
export async function describeExport(connection: Connection, described: DescribedExport, run: RunContext): Promise<string> {
  const { session } = connection
  const { machine, snapshot, received, manifest } = described
  const { ovfManager } = session.content
  if (ovfManager === undefined) throw new HoldfastError('UNSUPPORTED', `${nameOf(connection.settings)} makes no descriptors of machines.`)
  const cdp: Data<'OvfCreateDescriptorParams'> = {
    ovfFiles: received.map((file) => ovfFile(file, manifest)),
    name: machine.name,
    includeImageFiles: received.some(({ url, name }) => !url.disk && !name.endsWith('.nvram')),
    exportOption: await exportOptions(connection, ovfManager, run),
    ...(snapshot !== undefined && { snapshot }),
  }
  const { signal } = run
  const made = await session.call('CreateDescriptor', ovfManager, { obj: machine.ref, cdp }, { signal, name: machine.name })
  if (made.error.length > 0) throw misfit(machine.name, new Error(`${wordsOf(made.error)}.`))
  if (made.warning.length > 0)
    run.note(
      'info',
      'HOST_WARNS',
      `${nameOf(connection.settings)} says of the descriptor of ${machine.name}: ${wordsOf(made.warning).replace(/\.?$/, '.')}`,
    )
  return checkedDescriptor(made.ovfDescriptor, described)
}
