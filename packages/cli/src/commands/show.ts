import type { Manifest, ManifestItem } from '@holdfast/core'
import type { OfflinePoint, OpenPoint } from '@holdfast/core/offline'
import { formatBytes } from '@holdfast/core/spec'
import { choosePoint, workloadText } from '../choose-point.ts'
import type { Command, Words } from '../command.ts'
import { flagsText } from '../describe-point.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import type { Host } from '../host.ts'
import { openFolder } from '../open-folder.ts'
import { jsonText, printable, shortTime } from '../printable.ts'
import { showProgress } from '../progress-line.ts'
import { repositoryJson } from './points.ts'

const details = `Items are what "holdfast restore" would write. With --json the whole manifest is printed, with what the platform said of the machine or volume.

Examples:
  holdfast show /srv/backup/points 20261120T020000Z-2db25c260b438de4
  holdfast show /srv/backup/points latest --workload esxi/vm-12 --json
`

/** `holdfast show`. */
export const showCommand: Command = {
  name: 'show',
  usage: 'FOLDER POINT|latest [--workload PROVIDER/ID] [--json]',
  summary: 'Says what is in a restore point: items, sizes, what it builds on, the machine, warnings.',
  details,
  options: ['workload', 'json'],
  points: { least: 1, most: 1 },
  run,
}

async function run({ folder, points, workload, json }: Words, host: Host): Promise<ExitCode> {
  const progress = showProgress(host)
  try {
    const repository = await openFolder(folder, host, progress)
    const { point, warnings } = choosePoint(repository, points[0] ?? '', workload)
    for (const warning of warnings) progress.tell(`Warning: ${printable(warning)}`)
    const opened = await repository.open(point, { signal: host.signal, meter: progress.meter })
    progress.end()
    const chain = repository.chain(point)
    const { manifest } = opened
    // A chain never leaves its workload.
    const dependants = repository.points.filter((each) => each.id !== point.id && repository.chain(each).includes(point))
    const about = { repository: repositoryJson(repository), point, chain: idsOf(chain), dependants: idsOf(dependants), manifest }
    if (json) host.write(jsonText(about))
    else host.write(textOf(repository.root, { point, chain, dependants }, opened))
    return exitCodes.good
  } finally {
    progress.end()
  }
}

const idsOf = (points: readonly OfflinePoint[]): readonly string[] => points.map(({ id }) => id)

interface Shown {
  readonly point: OfflinePoint
  /** The point and all it builds on. */
  readonly chain: readonly OfflinePoint[]
  /** All that build on it. */
  readonly dependants: readonly OfflinePoint[]
}

const pointLine = ({ id, createdAt }: OfflinePoint): string => `${id}  ${shortTime(createdAt)}`

function textOf(root: string, { point, chain, dependants }: Shown, { manifest }: OpenPoint): string {
  const { items, skipped, warnings } = manifest
  const command = `holdfast restore ${root} ${point.id} --into NEW-FOLDER`
  const parts = [
    `Point ${point.id} of ${workloadText(point.workload)}\n`,
    facts(root, point, manifest),
    section('Items', items.flatMap(itemLines)),
    section('Builds on, newest first', chain.slice(1).map(pointLine)),
    section('Needed by, newest first', dependants.map(pointLine)),
    section('Machine', machineLines(manifest)),
    section(
      'Not in the backup',
      skipped.map(({ name, reason }) => `${name}: ${reason}`),
    ),
    section(
      'Warnings of the backup',
      warnings.map(({ message }) => message),
    ),
    section('To get it back', [command]),
  ]
  return parts.join('')
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${printable(line)}\n`).join('')}`
}

const consistencies: { readonly [word in Manifest['consistency']]: string } = {
  off: 'nothing was running',
  quiesced: 'the guest had written everything to its disks',
  crash: 'one moment, as after a power failure',
  fuzzy: 'written to while it was read: files may be of different moments',
}

function facts(root: string, point: OfflinePoint, manifest: Manifest): string {
  const { provisioned, used, transferred, stored } = manifest.bytes
  const { workload, plan, runKey, attempt, software } = manifest
  const rows = [
    ['name', `${workload.name} (${workload.kind}, from ${manifest.providerKind})`],
    ['created', `${shortTime(manifest.createdAt)} UTC, due ${shortTime(manifest.due)}`],
    ['state', point.problem === undefined ? point.state : `${point.state}: it ${point.problem}`],
    ['flags', flagsText(point) || 'none'],
    ['consistency', `${manifest.consistency}: ${consistencies[manifest.consistency]}`],
    ['size', `${formatBytes(provisioned)}, ${formatBytes(used)} in use`],
    ['stored', `${formatBytes(stored)}, ${formatBytes(transferred)} came from the platform`],
    ['made by', `${plan === undefined ? 'hand' : `plan ${plan}`}, run ${runKey}, attempt ${attempt}, ${software.name} ${software.version}`],
    ['manifest', `${root}/${point.folder}/manifest.${point.number}.json`],
  ]
  return rows.map(([name = '', value = '']) => `  ${name.padEnd(12)}${printable(value)}\n`).join('')
}

function itemLines(item: ManifestItem): readonly string[] {
  const { file } = item
  if (item.type === 'disk') {
    const { disk, form, parent, reason, dataBytes } = item
    const below = parent === undefined ? '' : ` on ${parent}`
    return [
      `${file.path}  disk "${disk.name}" (${disk.key}), ${formatBytes(disk.size)}, ${form}${below} (${reason})`,
      `  ${formatBytes(dataBytes)} of data, ${formatBytes(file.size)} stored, digest ${item.digest}`,
    ]
  }
  const what = { tar: 'archive', vmdk: `disk "${item.disk?.name ?? ''}" as VMDK`, bytes: 'file' }[item.format]
  return [
    `${file.path}  ${what}, ${formatBytes(item.size)}, ${item.form === 'kept' ? 'stored as it came' : `stored as ${item.form}, ${formatBytes(file.size)}`}`,
    `  sha256 ${item.sha256}`,
  ]
}

function machineLines({ machine }: Manifest): readonly string[] {
  if (machine === undefined) return []
  const { cpus, coresPerSocket, memoryBytes, firmware, secureBoot, tpm, guest, disks, networks } = machine
  const extras = [secureBoot ? 'secure boot' : '', tpm ? 'TPM (its content is not in a backup)' : ''].filter((word) => word !== '')
  return [
    `name      ${machine.name}`,
    `cpus      ${cpus}${coresPerSocket === undefined ? '' : `, ${coresPerSocket} per socket`}`,
    `memory    ${formatBytes(memoryBytes)}`,
    `firmware  ${[firmware, ...extras].join(', ')}`,
    `guest     ${guest.family}${guest.id === undefined ? '' : ` (${guest.id})`}`,
    ...disks.map(({ key, bus }, index) => `disk ${index}    ${key} on ${bus}${index === 0 ? ', boots first' : ''}`),
    ...networks.map(({ name, mac, model }) => `network   ${[name, mac, model].filter((word) => word !== undefined).join(', ')}`),
  ]
}
